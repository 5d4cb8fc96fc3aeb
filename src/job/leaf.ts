import { Subscriber, UnsubscriptionError } from 'rxjs';
import { MillraceError } from '../errors.js';
import { isSignal, signal, type Attempt, type Open } from '../flow/index.js';
import { hasHeadroom } from '../flow/stack.js';

/** Counts how often each source occurs. */
class Occurrences {
  readonly #counts = new Map<string, number>();

  get size(): number {
    return this.#counts.size;
  }

  add(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  covers(others: Occurrences): boolean {
    return [...others.#counts].every(([id, count]) => (this.#counts.get(id) ?? 0) >= count);
  }
}

export interface LeafEvents {
  readonly failed: (error: unknown) => void;
  /** It has completed after `finish`. */
  readonly completed: () => void;
}

/**
 * The subscriber at the end of one leaf of `run`. It is a terminal, because records that arrive here have been processed,
 * and it tracks the sources whose `Open` has passed through the leaf's operators.
 */
export class Leaf extends Subscriber<unknown> {
  /** The sources that the leaf has subscribed to, counted once per branch. */
  readonly sources = new Occurrences();
  /** The terminals in it, by id or by object. */
  readonly terminals = new Set<string | object>();
  readonly #opened = new Occurrences();
  readonly #events: LeafEvents;
  #attempt: Attempt | undefined;
  #over = false;
  /** Set when it receives an error, which it reports once its operators are torn down. */
  failed = false;

  constructor(
    readonly index: number,
    events: LeafEvents,
  ) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- as in flow/operator.ts
    super();
    this.#events = events;
  }

  /** Whether `Open` has arrived from each source that the leaf has subscribed to. */
  get open(): boolean {
    return this.#opened.covers(this.sources);
  }

  /** A terminal in the leaf (`values()`) or the leaf itself has received the `Open` of these sources. */
  opened(sources: readonly string[]): void {
    for (const id of sources) this.#opened.add(id);
  }

  /** From now on the leaf may complete. */
  finish(): void {
    this.#over = true;
  }

  protected override _next(value: unknown): void {
    if (!isSignal(value)) return;
    if (value[signal] === 'open') this.#open(value);
    else if (value[signal] === 'credit') this.#attempt?.release(this, value);
  }

  #open(open: Open): void {
    this.#attempt = open.attempt;
    open.attempt.terminal(this, open.sources);
  }

  /** A teardown that throws (such as the callback of `finalize`) fails the leaf, unless it has failed already. */
  override unsubscribe(): void {
    try {
      super.unsubscribe();
    } catch (error) {
      if (!this.failed) this.#events.failed(thrown(error));
    }
  }

  override error(error: unknown): void {
    if (!hasHeadroom()) throw error;
    super.error(error);
  }

  protected override _error(error: unknown): void {
    this.failed = true;
    this.unsubscribe();
    this.#events.failed(error);
  }

  protected override _complete(): void {
    this.unsubscribe();
    if (this.#over) {
      this.#events.completed();
      return;
    }
    if (this.sources.size === 0 && this.#opened.size === 0) return;
    this.#events.failed(
      new MillraceError(
        'LeafCompleted',
        `Leaf ${this.index} of run(…) completed before its sources, so its operators would miss all later checkpoints. Limit records inside records(take(n)) instead of the flow.`,
      ),
    );
  }
}

/** The attempt that the operators of one leaf see: a terminal that announces itself has received its `Open`. */
export function leafAttempt(shared: Attempt, leaf: Leaf): Attempt {
  return {
    ...shared,
    terminal: (terminal, sources) => {
      // A flow shared by two leaves carries the attempt of the one that subscribed first.
      if (terminal instanceof Leaf) terminal.opened(sources);
      else if (typeof terminal === 'object') leaf.opened(sources);
      if (terminal !== leaf) leaf.terminals.add(terminal);
      shared.terminal(terminal, sources);
    },
  };
}

/** The error of a teardown, which RxJS wraps. */
function thrown(error: unknown): unknown {
  return error instanceof UnsubscriptionError && error.errors.length === 1 ? error.errors[0] : error;
}
