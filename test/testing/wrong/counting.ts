import type { Barrier, Open } from '../../../src/flow/index.js';
import { type Item, passing, type Wrong } from './passing.js';

/** Counts records, and keeps the count in checkpoints. */
export function counting(wrong: {
  readonly acks?: number;
  readonly restores?: boolean;
  /** The state is the user's own object. */
  readonly shares?: boolean;
  /** What comes out is the state's own object. */
  readonly lends?: boolean;
  /** The snapshot is the state's own object, and changes with it. */
  readonly thaws?: boolean;
  /** Freezes a while after the barrier. */
  readonly late?: boolean;
}): Wrong {
  const { acks = 1, restores = true, shares = false, lends = false, thaws = false, late = false } = wrong;
  return passing((self) => {
    let state: { n: number } = { n: 0 };
    return {
      onOpen: (open: Open) => {
        self.attempt = open.attempt;
        open.attempt.register({ id: 'count', kind: 'operator' });
        const snapshot = open.attempt.restored('count')?.snapshot as { n: number } | undefined;
        if (restores && snapshot !== undefined) state = { ...snapshot };
        self.send(open);
      },
      onRecord: (record: Item) => {
        const before = state;
        if (thaws) state.n = record.n;
        else state = shares ? record : { n: record.n };
        self.send(lends ? state : { n: before.n });
      },
      onBarrier: (barrier: Barrier) => {
        const frozen = state;
        const ack = (now: { n: number }): void => {
          for (let i = 0; i < acks; i++) barrier.ack('count', { snapshot: thaws ? now : { ...now } });
        };
        self.send(barrier);
        if (late)
          self.later(() => {
            ack(state);
          });
        else ack(frozen);
      },
    };
  });
}
