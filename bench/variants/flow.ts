/**
 * The same three operators over the same records: as a plain RxJS chain, and lifted by one `records(…)` over a flow that
 * carries credits and barriers at the rates of a real job.
 */
import { filter, map, Observable, NEVER, Subscriber } from 'rxjs';
import { barrier, credit, end, isSignal, open, systemClock } from 'millrace/operators';
import { records, type Flow, type Signal } from 'millrace';
import { TestAttempt } from 'millrace/testing';
import type { Outcome, Start } from '../harness/workload.js';

interface Visit {
  readonly user: string;
  readonly kind: 'click' | 'view';
  readonly at: string;
}

interface Day {
  readonly user: string;
  readonly kind: 'click' | 'view';
  readonly day: string;
}

interface Click {
  readonly key: string;
  readonly day: string;
}

/** A credit for about 64 KiB of input, and a checkpoint every few hundred milliseconds. */
const recordsPerCredit = 500;
const recordsPerBarrier = 100_000;
/** Enough that no call site sees constants, few enough to stay in the cache, as reading is not measured. */
const visits: readonly Visit[] = Array.from({ length: 4096 }, (_, i) => ({
  user: `user-${(i * 7919) % 1000}`,
  kind: i % 4 === 3 ? 'view' : 'click',
  at: new Date(1_760_000_000_000 + i * 40_000).toISOString(),
}));

const toDay = map(({ user, kind, at }: Visit): Day => ({ user, kind, day: at.slice(0, 10) }));
const isClick = filter(({ kind }: Day) => kind === 'click');
const toClick = map(({ user, day }: Day): Click => ({ key: `${user} ${day}`, day }));

/** Ours. Params: `count` of records. */
export const lifted: Start = ({ count }) => ({
  round: () =>
    Promise.resolve(
      run(Number(count), (n) => {
        const flow: Flow<Visit> = new Observable<Visit | Signal>((out) => sendWithSignals(out, n));
        return flow.pipe(records(toDay, isClick, toClick));
      }),
    ),
});

/** Theirs. Params: `count` of records. */
export const plain: Start = ({ count }) => ({
  round: () =>
    Promise.resolve(
      run(Number(count), (n) =>
        new Observable<Visit>((out) => sendRecords(out, n)).pipe(toDay, isClick, toClick),
      ),
    ),
});

/**
 * The minimal cost of in-band signals: a check of each element, and passing signals around the operators. No guards,
 * turns, or checks of order. Params: `count` of records.
 */
export const bare: Start = ({ count }) => ({
  round: () =>
    Promise.resolve(
      run(
        Number(count),
        (n) =>
          new Observable<Click | Signal>((out) => {
            let head!: Subscriber<Visit>;
            new Observable<Visit>((subscriber) => {
              head = subscriber;
            })
              .pipe(toDay, isClick, toClick)
              .subscribe(out as Subscriber<Click>);
            sendWithSignals(new Bypass(head, out), n);
          }),
      ),
    ),
});

class Bypass extends Subscriber<Visit | Signal> {
  readonly #head: Subscriber<Visit>;
  readonly #out: Subscriber<Signal>;

  constructor(head: Subscriber<Visit>, out: Subscriber<Signal>) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- as in src/flow/operator.ts, which this is compared with
    super();
    this.#head = head;
    this.#out = out;
  }

  override next(value: Visit | Signal): void {
    if (isSignal(value)) this.#out.next(value);
    else this.#head.next(value);
  }

  override complete(): void {
    this.#out.complete();
  }
}

function run(count: number, chain: (count: number) => Observable<Click | Signal>): Outcome {
  let sum = 0;
  let passed = 0;
  const failures: unknown[] = [];
  chain(count).subscribe({
    next: (value) => {
      if (isSignal(value)) return;
      sum = (sum * 31 + value.key.length) % 1_000_000_007;
      passed++;
    },
    error: (error: unknown) => failures.push(error),
  });
  if (failures.length > 0) throw new Error('the chain failed', { cause: failures[0] });
  return { digest: `${passed} ${sum}`, amount: count };
}

function sendRecords(out: Subscriber<Visit>, count: number): void {
  for (let n = 0; n < count; n++) out.next(visits[n & 4095]!);
  out.complete();
}

function sendWithSignals(out: Subscriber<Visit | Signal>, count: number): void {
  const ack = (): void => undefined;
  out.next(open(['raw'], new TestAttempt({ clock: systemClock })));
  let n = 0;
  for (let checkpoint = 1; n < count; checkpoint++) {
    for (const next = Math.min(n + recordsPerBarrier, count); n < next;) {
      for (const credited = Math.min(n + recordsPerCredit, next); n < credited; n++)
        out.next(visits[n & 4095]!);
      out.next(credit('raw', n * 128));
    }
    out.next(barrier(checkpoint, 'periodic', ack, NEVER));
  }
  out.next(end);
  out.complete();
}
