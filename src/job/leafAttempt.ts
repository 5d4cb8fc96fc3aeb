import type { Attempt } from '../flow/index.js';
import { Leaf } from './leaf.js';

/** The attempt as the operators of one leaf see it: a terminal that announces itself has had its `Open`. */
export function leafAttempt(shared: Attempt, leaf: Leaf): Attempt {
  return {
    ...shared,
    terminal: (terminal, sources) => {
      // A flow that two leaves share carries the attempt of the one that subscribed first.
      if (terminal instanceof Leaf) terminal.opened(sources);
      else if (typeof terminal === 'object') leaf.opened(sources);
      if (terminal !== leaf) leaf.terminals.add(terminal);
      shared.terminal(terminal, sources);
    },
  };
}
