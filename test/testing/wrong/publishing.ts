import { type Barrier, type Committable, type Json, type Open, Service } from '../../../src/flow/index.js';
import { type Item, passing, type Wrong } from './passing.js';

/** The output of the sinks below: rows by uid. */
export type Board = Map<string, readonly Json[]>;
export const board = new Service<Board>('board');

interface SinkFaults {
  readonly keeps?: (index: number) => boolean;
  /** Publishes without a checkpoint. */
  readonly hasty?: boolean;
  /** Draws the published name at the commit. */
  readonly renames?: boolean;
  /** Forgets what is pending when it is restored. */
  readonly forgets?: boolean;
  /** Publishes the newest row first. */
  readonly reverses?: boolean;
}

/** A two-phase sink: the rows between two barriers are published together. */
export function sink(faults: SinkFaults): Wrong {
  const { keeps = () => true, hasty = false, renames = false, forgets = false, reverses = false } = faults;
  return passing((self) => {
    let rows: Json[] = [];
    let seen = 0;
    let names = 0;
    const published = (): Board => self.attempt.use(board);
    return {
      onOpen: (open: Open) => {
        self.attempt = open.attempt;
        open.attempt.register({
          id: 'out',
          kind: 'sink',
          commit: (pending: readonly Committable[]) => {
            const restored = open.attempt.restored('out')?.pending ?? [];
            for (const { uid, rows: batch } of pending) {
              if (forgets && restored.some((each) => each.uid === uid)) continue;
              const name = renames ? `${open.attempt.epoch} ${uid} ${names++}` : uid;
              published().set(name, batch as Json[]);
              open.attempt.confirm('out', uid);
            }
          },
        });
        self.send(open);
      },
      onRecord: ({ n }: Item) => {
        if (!keeps(seen++)) return;
        if (hasty) published().set(`${self.attempt.epoch} ${seen}`, [{ n }]);
        else if (reverses) rows.unshift({ n });
        else rows.push({ n });
      },
      onBarrier: (barrier: Barrier) => {
        const uid = String(barrier.checkpoint).padStart(5, '0');
        const closed = rows.length > 0 ? [{ uid, rows }] : [];
        rows = [];
        self.send(barrier);
        barrier.ack('out', { closed });
      },
    };
  });
}

/** The output of the sinks above, by partition. */
export function onBoard(published: Board): readonly (readonly Json[])[] {
  return [[...published].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, rows]) => rows)];
}
