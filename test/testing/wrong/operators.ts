/** Operators that break one law each, and some that keep all, for testing the laws. */
import { Observable } from 'rxjs';
import {
  type Barrier,
  type Credit,
  type Signal,
  watermark,
  type Watermark,
} from '../../../src/flow/index.js';
import { counting } from './counting.js';
import { delaying, type Item, passing, type Wrong } from './passing.js';
import { sink } from './publishing.js';
import { writing } from './writing.js';

export const right: Readonly<Record<string, () => Wrong>> = {
  'passes everything on': () => passing(() => ({})),
  'holds records, and what follows them': () => delaying({ watermark: true, credit: true }),
  'keeps a count': () => counting({}),
  'publishes in two phases': () => sink({}),
  'writes a few records at a time': () => writing({}),
};

/** By the broken law. */
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
    'lets watermarks fall': () =>
      passing((self) => ({
        onWatermark: ({ time, idle }: Watermark) => {
          self.send(watermark(10 - time, idle));
        },
      })),
    'forgets that the input is idle': () =>
      passing((self) => ({
        onWatermark: ({ time }: Watermark) => {
          self.send(watermark(time));
        },
      })),
    'releases credit, and does not send it on': () =>
      passing((self) => ({
        onCredit: (credit: Credit) => {
          self.attempt.release(self, credit);
        },
      })),
  },
  hold: {
    'lets the end overtake records': () =>
      passing((self) => {
        let held = 0;
        const after = (sent: Signal): void => {
          held += 1;
          self.later(() => {
            held -= 1;
            self.send(sent);
          });
        };
        return {
          onRecord: (record: Item) => {
            const copy = { ...record };
            self.later(() => {
              self.send(copy);
            });
          },
          // No signal overtakes, nor is one overtaken, or the law of order would be broken first.
          onBarrier: after,
          onWatermark: after,
          onCredit: after,
          onEnd: (end) => {
            if (held === 0) self.send(end);
            else after(end);
          },
        };
      }),
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
    'changes what it has acked': () => counting({ thaws: true }),
    "hands the user the state's own object": () => counting({ lends: true }),
    'never acks': () => counting({ acks: 0 }),
    'acks twice': () => counting({ acks: 2 }),
    "keeps the user's own object": () => counting({ shares: true }),
  },
  restore: {
    'forgets its state': () => counting({ restores: false }),
    'freezes what came after the barrier': () => counting({ late: true }),
    'holds a record past a barrier, and in no snapshot': () =>
      passing((self) => {
        let held: Item | undefined;
        return {
          onRecord: (record: Item) => {
            if (held !== undefined) self.send(held);
            held = { ...record };
          },
          onCredit: (credit: Credit) => {
            if (held !== undefined) self.send(held);
            held = undefined;
            self.send(credit);
          },
          onWatermark: (each: Watermark) => {
            if (held !== undefined) self.send(held);
            held = undefined;
            self.send(each);
          },
          onEnd: (end) => {
            if (held !== undefined) self.send(held);
            held = undefined;
            self.send(end);
          },
        };
      }),
  },
  publishing: {
    'drops every record': () => sink({ keeps: () => false }),
    'loses every second record': () => sink({ keeps: (index) => index % 2 === 0 }),
    'publishes before a checkpoint is durable': () => sink({ hasty: true }),
    'publishes again what was published': () => sink({ renames: true }),
    'forgets what was pending': () => sink({ forgets: true }),
    'publishes out of order': () => sink({ reverses: true }),
  },
  memory: {
    'takes records however many wait to be written': () => writing({ waits: false }),
  },
  teardown: {
    'leaves a request': () => writing({ leaves: true }),
    'stays subscribed to its input': () => (input) =>
      new Observable((out) => {
        input.subscribe({
          next: (each) => out.next(each),
          error: (error: unknown) => out.error(error),
          complete: () => out.complete(),
        });
      }),
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
