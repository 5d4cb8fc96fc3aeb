import { Subject, VirtualTimeScheduler, type OperatorFunction, type Subscription } from 'rxjs';
import { clockOf, end, isSignal, open } from '../../flow/index.js';
import { countedClock } from '../countedClock.js';
import { show } from '../laws/output.js';
import type { Services } from '../laws/run.js';
import { TestAttempt } from '../testAttempt.js';

/** An operator, and its test data. */
export interface MatrixSubject<A> {
  /**
   * Creates the operator for each run. If it takes a callback that sees records, that one calls `callback` with each;
   * other operators ignore it.
   */
  readonly operator: (callback: (record: A) => void) => OperatorFunction<never, unknown>;
  /** Three or more different records. */
  readonly records: readonly A[];
  /** The expected output for records and the end. Default: not compared. */
  readonly output?: (records: readonly A[]) => readonly unknown[];
  /** The services of the attempt; created for each run. */
  readonly services?: () => Services;
}

/** An element of the input. Records are given by index. */
export type Step = number | 'open' | 'barrier' | 'end' | 'final' | 'complete' | 'error';

export interface MatrixHooks {
  /** Called within the `n`-th call of the callback. */
  readonly called?: (run: MatrixRun<unknown>, n: number) => void;
  /** Called within the delivery of the `n`-th element of the output. */
  readonly delivered?: (run: MatrixRun<unknown>, n: number) => void;
}

export const inputFailed = new Error('The input failed.');

/** One run of an operator in virtual time, step by step. The output is recorded as strings. */
export class MatrixRun<A> {
  readonly out: string[] = [];
  readonly errors: unknown[] = [];
  completions = 0;
  calls = 0;
  /** The index of the current step. */
  at = -1;
  readonly #subject: MatrixSubject<A>;
  readonly #input = new Subject<unknown>();
  readonly #scheduler = new VirtualTimeScheduler();
  readonly #timers: ReadonlySet<object>;
  readonly #attempt: TestAttempt;
  readonly #subscription: Subscription;
  #checkpoint = 0;

  constructor(subject: MatrixSubject<A>, { called, delivered }: MatrixHooks = {}) {
    this.#subject = subject;
    const { clock, timers } = countedClock(clockOf(this.#scheduler));
    this.#timers = timers;
    this.#attempt = new TestAttempt({ clock, services: subject.services?.() ?? new Map() });
    const operator = subject.operator(() => called?.(this as MatrixRun<unknown>, ++this.calls - 1));
    this.#subscription = (this.#input as unknown as Subject<never>).pipe(operator).subscribe({
      next: (value) => {
        this.out.push(isSignal(value) ? show(value) : JSON.stringify(value));
        delivered?.(this as MatrixRun<unknown>, this.out.length - 1);
      },
      error: (error: unknown) => {
        this.errors.push(error);
      },
      complete: () => {
        this.completions++;
      },
    });
    this.#scheduler.flush();
  }

  /** Whether the operator is still subscribed to its input, or has a timer. */
  get alive(): boolean {
    return this.#input.observed || this.#timers.size > 0;
  }

  /** Sends these steps, and flushes timers after each. */
  bring(steps: readonly Step[]): this {
    for (const step of steps) {
      this.at++;
      this.send(step);
      this.#scheduler.flush();
    }
    return this;
  }

  send(step: Step): void {
    const input = this.#input;
    if (step === 'open') input.next(open(['in'], this.#attempt));
    else if (step === 'end') input.next(end);
    else if (step === 'complete') input.complete();
    else if (step === 'error') input.error(inputFailed);
    else if (typeof step === 'number') input.next(structuredClone(this.#subject.records[step]));
    else
      input.next(this.#attempt.barrier(++this.#checkpoint, step === 'final' ? 'final' : 'periodic').barrier);
  }

  unsubscribe(): void {
    this.#subscription.unsubscribe();
  }

  /** The whole output as one string, for comparing two runs. */
  get whole(): string {
    const errors = this.errors.map(
      (error) => `error ${error instanceof Error ? error.message : String(error)}`,
    );
    return [...this.out, ...errors, ...(this.completions > 0 ? ['complete'] : [])].join(' ');
  }

  /** The records of the output. */
  get records(): readonly string[] {
    return this.out.filter((each) => !/^(open|barrier|end|watermark|credit)\b/.test(each));
  }
}
