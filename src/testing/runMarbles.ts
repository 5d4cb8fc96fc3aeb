import { Subject, type Observable, type OperatorFunction } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { clockOf, credit, end, isSignal, open, signal, watermark } from '../flow/index.js';
import type { Clock, Restored, Service, Watermark } from '../flow/index.js';
import type { MarbleAttempt, MarbleFile, MarbleLine } from './marbleFile.js';
import { pendingOf, sealed } from './sealed.js';
import { TestAttempt, type Trace } from './testAttempt.js';

/** One compared line of a marble file, with elements such as `12ms a`. */
export interface MarbleResult {
  readonly line: string;
  readonly expected: readonly string[];
  readonly actual: readonly string[];
}

/**
 * Runs a marble file in virtual time. Compare `expected` with `actual` of each result in your test framework.
 *
 * @param operator creates the operator under test for each attempt; its argument is the flow of the `in2` line
 * @param services creates the services of each attempt
 */
export function runMarbles(
  file: MarbleFile,
  operator: (in2: Observable<unknown>) => OperatorFunction<unknown, unknown>,
  services: MarbleServices = () => new Map(),
): readonly MarbleResult[] {
  let restored: ReadonlyMap<string, Restored> = new Map();
  return file.attempts.flatMap((marble, index, all) => {
    const run = new MarbleRun(file, marble, { services, restored, epoch: index + 1 });
    run.run(operator);
    const next = all[index + 1]?.from;
    if (next !== undefined) restored = sealed(run.attempt, next);
    return run.results(all.length > 1 ? `attempt ${index + 1}, ` : '');
  });
}

/** Creates the services of one attempt, which use `clock`. */
export type MarbleServices = (clock: Clock, epoch: number) => ReadonlyMap<Service<unknown>, unknown>;

class MarbleRun {
  readonly attempt: TestAttempt;
  readonly #file: MarbleFile;
  readonly #marble: MarbleAttempt;
  readonly #scheduler = new TestScheduler(() => undefined);
  readonly #expected = new Map<MarbleLine, string[]>();
  readonly #actual = new Map<MarbleLine, string[]>();
  readonly #barriers: ReadonlyMap<string, ReturnType<TestAttempt['barrier']>>;
  #credits = 0;

  constructor(
    file: MarbleFile,
    marble: MarbleAttempt,
    options: {
      readonly services: MarbleServices;
      readonly restored: ReadonlyMap<string, Restored>;
      readonly epoch: number;
    },
  ) {
    this.#file = file;
    this.#marble = marble;
    const clock = clockOf(this.#scheduler);
    this.attempt = new TestAttempt({
      ...options,
      services: options.services(clock, options.epoch),
      clock,
      on: (trace) => {
        this.#traced(trace);
      },
    });
    this.#barriers = new Map('123456789'.split('').map((n) => [n, this.attempt.barrier(Number(n))]));
  }

  run(operator: (in2: Observable<unknown>) => OperatorFunction<unknown, unknown>): void {
    this.#scheduler.run(() => {
      const input = new Subject<unknown>();
      const second = new Subject<unknown>();
      const subscription = input.pipe(operator(second)).subscribe({
        next: (value) => {
          this.#saw('out', this.#nameOf(value));
        },
        error: (error: unknown) => {
          this.#saw('out', '#');
          this.#actual.set('error', [codeOf(error)]);
        },
        complete: () => {
          this.#saw('out', '|');
        },
      });
      this.#feed('in', input);
      this.#feed('in2', second);
      this.#drive('durable', (token) => {
        this.#durable(Number(token));
      });
      this.#drive('unsub', () => {
        subscription.unsubscribe();
      });
      for (const line of ['out', 'acks', 'releases', 'confirms', 'amends'] as const) {
        const marbles = this.#marble.lines.get(line);
        if (marbles !== undefined)
          this.#expected.set(
            line,
            this.#parse(marbles).map(({ frame, token }) => `${frame}ms ${token}`),
          );
      }
    });
    const error = this.#marble.lines.get('error');
    if (error !== undefined || this.#actual.has('error'))
      this.#expected.set('error', error === undefined ? [] : [error]);
  }

  results(prefix: string): MarbleResult[] {
    return [...this.#expected].map(([line, expected]) => ({
      line: prefix + line,
      expected,
      actual: this.#actual.get(line) ?? [],
    }));
  }

  #feed(line: MarbleLine, input: Subject<unknown>): void {
    this.#drive(line, (token) => {
      if (token === '|') input.complete();
      else if (token === '#') input.error(new Error('input failed'));
      else input.next(this.#element(token, line));
    });
  }

  #drive(line: MarbleLine, act: (token: string) => void): void {
    for (const { frame, token } of this.#parse(this.#marble.lines.get(line) ?? '')) {
      this.#scheduler.schedule(() => {
        act(token);
      }, frame);
    }
  }

  #parse(marbles: string): { frame: number; token: string }[] {
    return TestScheduler.parseMarbles(marbles, undefined, undefined, false, true).map(
      ({ frame, notification }) => ({
        frame,
        token: notification.kind === 'N' ? String(notification.value) : notification.kind === 'C' ? '|' : '#',
      }),
    );
  }

  #element(token: string, line: MarbleLine): unknown {
    const barrier = this.#barriers.get(token);
    if (barrier !== undefined) return barrier.barrier;
    if (token === 'O') return open([line], this.attempt);
    if (token === 'E') return end;
    if (token === 'C') return credit(line, ++this.#credits);
    if (token === 'W') return watermark(0);
    return Object.hasOwn(this.#file.values, token) ? this.#file.values[token] : token;
  }

  #nameOf(value: unknown): string {
    if (isSignal(value)) {
      if (value[signal] === 'barrier') return String(value.checkpoint);
      if (value[signal] === 'watermark') return this.#nameOfWatermark(value);
      return { open: 'O', end: 'E', credit: 'C' }[value[signal]];
    }
    const text = JSON.stringify(value);
    return (
      Object.entries(this.#file.values).find(
        ([, each]) => !isSignal(each) && JSON.stringify(each) === text,
      )?.[0] ?? (typeof value === 'string' ? value : text)
    );
  }

  #nameOfWatermark({ time, idle }: Watermark): string {
    const named = Object.entries(this.#file.values).find(
      ([, each]) =>
        isSignal(each) && each[signal] === 'watermark' && each.time === time && each.idle === idle,
    );
    return named?.[0] ?? (time === 0 && !idle ? 'W' : `W${time}${idle ? ' idle' : ''}`);
  }

  #durable(checkpoint: number): void {
    for (const [id, participant] of this.attempt.participants) {
      participant.commit?.(pendingOf(this.attempt, id, checkpoint, []));
    }
    this.#barriers.get(String(checkpoint))?.resolve('durable');
  }

  #traced(trace: Trace): void {
    if (trace.type === 'ack') this.#saw('acks', String(trace.checkpoint));
    else if (trace.type === 'release') this.#saw('releases', 'C');
    else if (trace.type === 'confirm') this.#saw('confirms', 'c');
    else if (trace.type === 'amend') this.#saw('amends', 'a');
  }

  #saw(line: MarbleLine, what: string): void {
    const seen = this.#actual.get(line) ?? [];
    seen.push(`${this.#scheduler.frame}ms ${what}`);
    this.#actual.set(line, seen);
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? String(error.code) : error.message;
}
