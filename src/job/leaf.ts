import { Subscriber, UnsubscriptionError } from 'rxjs';
import { MillraceError } from '../errors.js';
import { isSignal, signal, type Attempt, type Open } from '../flow/index.js';
import { hasHeadroom } from '../flow/stack.js';

/** How often each source occurs. */
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
 * The far end of one leaf given to `run`. It is a terminal itself (what gets here has been dealt with), and it knows
 * from which of its sources `Open` has made its way through the leaf's operators.
 */
export class Leaf extends Subscriber<unknown> {
  /** The sources that the leaf has subscribed to, once for each branch. */
  readonly sources = new Occurrences();
  /** The terminals inside it, by id or in person. */
  readonly terminals = new Set<string | object>();
  readonly #opened = new Occurrences();
  readonly #events: LeafEvents;
  #attempt: Attempt | undefined;
  #over = false;
  /** It got an error, which it reports when its operators are torn down. */
  failed = false;

  constructor(
    readonly index: number,
    events: LeafEvents,
  ) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- as in flow/operator.ts
    super();
    this.#events = events;
  }

  /** Whether `Open` has come through from each source that the leaf has subscribed to. */
  get open(): boolean {
    return this.#opened.covers(this.sources);
  }

  /** A terminal inside the leaf (`values()`) or the leaf itself has the `Open` of these. */
  opened(sources: readonly string[]): void {
    for (const id of sources) this.#opened.add(id);
  }

  /** From here on the leaf may complete. */
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

  /** A teardown that throws (the callback of `finalize`) fails the leaf; after an error, that error counts. */
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
        `Leaf ${this.index} of run(…) completed before its sources ended, so its operators would miss every later checkpoint. Limit records inside records(take(n)) instead of the flow.`,
      ),
    );
  }
}

/** The attempt as the operators of one leaf see it: a terminal that announces itself has had its `Open`. */
export function leafAttempt(shared: Attempt, leaf: Leaf): Attempt {
  return {
    ...shared,
    terminal: (terminal, sources) => {
      // A flow that two leaves share carries the attempt of the one that subscribed first.
      if (terminal instanceof Leaf) terminal.opened(sources);
      else if (typeof terminal === 'object') leaf.opened(sources);
      if (terminal !== leaf) leaf.terminals.add(terminal);
      shared.terminal(terminal, sources);
    },
  };
}

/** What a teardown threw: RxJS runs all of them before it throws, and wraps what they threw. */
function thrown(error: unknown): unknown {
  return error instanceof UnsubscriptionError && error.errors.length === 1 ? error.errors[0] : error;
}
