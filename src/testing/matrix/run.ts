import { Subject, VirtualTimeScheduler, type OperatorFunction, type Subscription } from 'rxjs';
import { clockOf, end, isSignal, open } from '../../flow/index.js';
import { countedClock } from '../countedClock.js';
import { show } from '../laws/output.js';
import type { Services } from '../laws/run.js';
import { TestAttempt } from '../testAttempt.js';

/** An operator, and what it is tried with. */
export interface MatrixSubject<A> {
  /**
   * Makes the operator, for each run anew. Where it takes a callback that sees records, that one calls `callback` with each;
   * other operators leave it alone.
   */
  readonly operator: (callback: (record: A) => void) => OperatorFunction<never, unknown>;
  /** Three records or more, which differ. */
  readonly records: readonly A[];
  /** What comes out of records and the end. Default: not compared. */
  readonly output?: (records: readonly A[]) => readonly unknown[];
  /** What `Open` gives the operator; made anew for each run. */
  readonly services?: () => Services;
}

/** What an input brings. Records by their index. */
export type Step = number | 'open' | 'barrier' | 'end' | 'final' | 'complete' | 'error';

export interface MatrixHooks {
  /** Within the `n`-th call of the callback. */
  readonly called?: (run: MatrixRun<unknown>, n: number) => void;
  /** Within the delivery of the `n`-th element that comes out. */
  readonly delivered?: (run: MatrixRun<unknown>, n: number) => void;
}

export const inputFailed = new Error('The input failed.');

/** One run of an operator in virtual time, step by step. What comes out is noted as strings. */
export class MatrixRun<A> {
  readonly out: string[] = [];
  readonly errors: unknown[] = [];
  completions = 0;
  calls = 0;
  /** The step that the input is at. */
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

  /** Whether the operator still listens to its input, or has a timer. */
  get alive(): boolean {
    return this.#input.observed || this.#timers.size > 0;
  }

  /** Brings these, and lets the time pass that each takes. */
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

  /** All that came out, as one string: what two runs are compared by. */
  get whole(): string {
    const errors = this.errors.map(
      (error) => `error ${error instanceof Error ? error.message : String(error)}`,
    );
    return [...this.out, ...errors, ...(this.completions > 0 ? ['complete'] : [])].join(' ');
  }

  /** Only the records that came out. */
  get records(): readonly string[] {
    return this.out.filter((each) => !/^(open|barrier|end|watermark|credit)\b/.test(each));
  }
}
