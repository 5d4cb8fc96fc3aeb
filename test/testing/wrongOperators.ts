/** Operators that break one law each, and two that keep all: what the laws are tested with. */
import type { OperatorFunction } from 'rxjs';
import {
  type Attempt,
  type Barrier,
  type Committable,
  type Credit,
  flowOperator,
  FlowSubscriber,
  type Json,
  type Open,
  Service,
  type Signal,
} from '../../src/flow/index.js';

export interface Item {
  n: number;
}

type Wrong = OperatorFunction<never, unknown>;

/** An operator that passes everything on, but for what is given. */
function passing(wrong: (self: Passing) => Partial<Passing>): Wrong {
  return flowOperator<Item, Item>((out) => {
    const self = new Passing(out);
    return Object.assign(self, wrong(self));
  });
}

class Passing extends FlowSubscriber<Item, Item> {
  attempt!: Attempt;

  override onOpen(open: Open): void {
    this.attempt = open.attempt;
    this.emit(open);
  }

  override onRecord(value: Item): void {
    this.send(value);
  }

  send(value: Item | Signal): void {
    this.emit(value);
  }

  /** Does `work` after a millisecond. */
  later(work: () => void): void {
    this.add(
      this.attempt.clock.after(1, () => {
        this.turn(work);
      }),
    );
  }
}

/** Holds records for a millisecond; of the signals, `onBarrier` and `onEnd` wait for them, and what is given as well. */
function delaying(waits: { readonly watermark: boolean; readonly credit: boolean }): Wrong {
  return passing((self) => {
    const after = (value: Item | Signal): void => {
      const copy = 'n' in value ? { ...value } : value;
      self.later(() => {
        self.send(copy);
      });
    };
    return {
      onRecord: after,
      onBarrier: after,
      onEnd: after,
      onWatermark: waits.watermark ? after : self.send.bind(self),
      onCredit: waits.credit ? after : self.send.bind(self),
    };
  });
}

/** Counts records, and keeps the count in checkpoints. */
function counting(wrong: {
  readonly acks?: number;
  readonly restores?: boolean;
  /** The state is the user's own object. */
  readonly shares?: boolean;
}): Wrong {
  const { acks = 1, restores = true, shares = false } = wrong;
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
        const before = state.n;
        state = shares ? record : { n: record.n };
        self.send({ n: before });
      },
      onBarrier: (barrier: Barrier) => {
        const frozen = state;
        self.send(barrier);
        for (let i = 0; i < acks; i++) barrier.ack('count', { snapshot: { ...frozen } });
      },
    };
  });
}

/** What sinks below have published: rows by uid. */
export type Board = Map<string, readonly Json[]>;
export const board = new Service<Board>('board');

interface SinkFaults {
  readonly keeps?: (index: number) => boolean;
  /** Publishes without a checkpoint. */
  readonly hasty?: boolean;
  /** Draws the name under which it publishes at the commit. */
  readonly renames?: boolean;
  /** Forgets what is pending when it is restored. */
  readonly forgets?: boolean;
  /** Publishes the newest row first. */
  readonly reverses?: boolean;
}

/** A sink in two phases: the rows between two barriers are published together. */
function sink(faults: SinkFaults): Wrong {
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

export const right: Readonly<Record<string, () => Wrong>> = {
  'passes everything on': () => passing(() => ({})),
  'holds records, and what follows them': () => delaying({ watermark: true, credit: true }),
  'keeps a count': () => counting({}),
  'publishes in two phases': () => sink({}),
};

/** By the law that each breaks. */
export const wrong: Readonly<Record<string, Readonly<Record<string, () => Wrong>>>> = {
  order: {
    'loses a barrier': () => passing(() => ({ onBarrier: () => undefined })),
    'sends a barrier twice': () =>
      passing((self) => ({
        onBarrier: (barrier: Barrier) => {
          self.send(barrier);
          self.send(barrier);
        },
      })),
    'lets watermarks overtake records': () => delaying({ watermark: false, credit: true }),
    'lets credit overtake records': () => delaying({ watermark: true, credit: false }),
    'releases credit, and does not send it on': () =>
      passing((self) => ({
        onCredit: (credit: Credit) => {
          self.attempt.release(self, credit);
        },
      })),
  },
  hold: {
    'lets records overtake a barrier': () =>
      passing((self) => ({
        onBarrier: (barrier: Barrier) => {
          self.later(() => {
            self.send(barrier);
          });
        },
        onEnd: (end) => {
          self.later(() => {
            self.send(end);
          });
        },
      })),
  },
  snapshot: {
    'never acks': () => counting({ acks: 0 }),
    'acks twice': () => counting({ acks: 2 }),
    "keeps the user's own object": () => counting({ shares: true }),
  },
  restore: {
    'forgets its state': () => counting({ restores: false }),
  },
  publishing: {
    'drops every record': () => sink({ keeps: () => false }),
    'loses every second record': () => sink({ keeps: (index) => index % 2 === 0 }),
    'publishes before a checkpoint is durable': () => sink({ hasty: true }),
    'publishes again what was published': () => sink({ renames: true }),
    'forgets what was pending': () => sink({ forgets: true }),
    'publishes out of order': () => sink({ reverses: true }),
  },
  teardown: {
    'leaves a timer': () =>
      passing((self) => ({
        onRecord: (record: Item) => {
          const { clock } = self.attempt;
          clock.after(1000, () => undefined);
          self.send(record);
        },
      })),
  },
};

/** What the sinks above have published, a partition. */
export function onBoard(published: Board): readonly (readonly Json[])[] {
  return [[...published].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, rows]) => rows)];
}
