import type { Attempt } from '../flow/index.js';
import type { Leaf } from './leaf.js';

/** The attempt as the operators of one leaf see it: a terminal that announces itself has had its `Open`. */
export function leafAttempt(shared: Attempt, leaf: Leaf): Attempt {
  return {
    job: shared.job,
    jobId: shared.jobId,
    epoch: shared.epoch,
    clock: shared.clock,
    random: shared.random,
    use: (service) => shared.use(service),
    register: (participant) => {
      shared.register(participant);
    },
    restored: (id) => shared.restored(id),
    terminal: (terminal, sources) => {
      shared.terminal(terminal, sources);
      if (terminal === leaf || typeof terminal === 'object') leaf.opened(sources);
    },
    release: (terminal, credit) => {
      shared.release(terminal, credit);
    },
    confirm: (id, uid) => {
      shared.confirm(id, uid);
    },
    amend: (id, committable) => {
      shared.amend(id, committable);
    },
    report: (event) => {
      shared.report(event);
    },
  };
}
