import type { Attempt } from '../flow/index.js';
import type { Leaf } from './leaf.js';

/** The attempt as the operators of one leaf see it: a terminal that announces itself has had its `Open`. */
export function leafAttempt(shared: Attempt, leaf: Leaf): Attempt {
  return {
    ...shared,
    terminal: (terminal, sources) => {
      shared.terminal(terminal, sources);
      if (typeof terminal === 'object') leaf.opened(sources);
    },
  };
}
