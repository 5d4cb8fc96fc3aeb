import { EMPTY, type Observable, type Subscriber } from 'rxjs';
import {
  FlowSubscriber,
  isLast,
  type Attempt,
  type Barrier,
  type Credit,
  type Open,
  type Signal,
} from '../../flow/index.js';
import { Acks } from './acks.js';
import { decodeCommittable, encodeCommittable } from './committables.js';
import { Committer } from './committer.js';
import type { FrozenWork, TwoPhaseKind } from './kind.js';

/** What a sink has ready once `Open` is there. */
export interface Prepared<C> {
  readonly kind: TwoPhaseKind<C>;
  /** Records come once it has completed: what it emits is ignored. Default: at once. */
  readonly ready?: Observable<unknown>;
  /** Whether what is `lost` counts as published, because consumers take it away. Default `false`. */
  readonly acceptsLost?: boolean;
}

/**
 * The base of sinks that publish what they were given exactly once:
 *
 * 1. **Open.** The sink registers. What the restored checkpoint has pending is checked, all of it, and published.
 * 2. **Records** are gathered. Requests that store them go on meanwhile; each is begun with {@link TwoPhaseSink.begin}.
 * 3. **Barrier.** What was gathered is frozen; the barrier goes on. It is acked once all that was begun before it is stored.
 * 4. **Durable.** What the manifest has pending is published and confirmed. Until it is, every manifest repeats it.
 * 5. **Credits** are released while there is room: sources wait for the slowest sink.
 * 6. After the last barrier nothing more is begun: no checkpoint would name it.
 *
 * A crash anywhere leaves a manifest whose pending committables the next attempt publishes. At teardown requests are
 * aborted and nothing else is: a durable checkpoint may name what they have made.
 */
export abstract class TwoPhaseSink<A, C> extends FlowSubscriber<A, never> {
  protected readonly id: string;
  #attempt!: Attempt;
  #acks!: Acks<C>;
  #resting = false;
  /** The newest of each source. */
  readonly #credits = new Map<string, Credit>();

  constructor(out: Subscriber<Signal>, id: string) {
    super(out);
    this.id = id;
  }

  /** The attempt is there: says what the sink publishes, and makes ready. */
  protected abstract prepare(attempt: Attempt): Prepared<C>;

  /** Freezes what was gathered, in a time that does not depend on how much it is. */
  protected abstract freeze(barrier: Barrier): FrozenWork<C>;

  /** Whether there is no room for more: sources wait. */
  protected abstract get full(): boolean;

  /** Makes room, as far as that is possible. */
  protected makeRoom(): void {
    // What is held goes away by itself.
  }

  /** The last barrier has come: timers stop. */
  protected onRest(): void {
    // There are none.
  }

  /** Whether sources wait for room. */
  protected get waitedFor(): boolean {
    return this.#credits.size > 0 && this.full;
  }

  protected get resting(): boolean {
    return this.#resting;
  }

  /**
   * Something begins that the next barrier has to wait for. Returns what to call when it is stored.
   *
   * @param object the name of the data object that it writes, if it does
   */
  protected begin(object?: string): () => void {
    return this.#acks.begin(object);
  }

  /** Memory was taken or given back: sources may go on, or room must be made. */
  protected relieve(): void {
    if (this.#resting) return;
    this.makeRoom();
    if (this.#credits.size === 0 || this.full) return;
    for (const credit of this.#credits.values()) this.#attempt.release(this.id, credit);
    this.#credits.clear();
  }

  protected override get label(): string {
    return this.id;
  }

  override onOpen(open: Open): void {
    const { attempt } = open;
    this.#attempt = attempt;
    const { kind, ready, acceptsLost = false } = this.prepare(attempt);
    this.#acks = new Acks<C>(this.id, (committable) => encodeCommittable(kind, committable));
    for (const each of attempt.restored(this.id)?.pending ?? []) {
      const committable = decodeCommittable(kind, each);
      kind.check?.(committable);
    }
    const committer = new Committer(
      this.id,
      attempt,
      kind,
      (request, answered) => {
        this.request(request, answered);
      },
      acceptsLost,
    );
    attempt.register({
      id: this.id,
      kind: 'sink',
      commit: (pending) => {
        this.turn(() => {
          committer.commit(pending);
        });
      },
      ...(kind.sweep !== undefined && {
        sweep: ({ epoch, named }) =>
          kind.sweep?.({ epoch, named: named.map((each) => decodeCommittable(kind, each)) }) ?? EMPTY,
      }),
    });
    attempt.terminal(this.id, open.sources);
    this.request(ready ?? EMPTY, {
      complete: () => {
        this.emit(open);
      },
    });
  }

  override onCredit(credit: Credit): void {
    this.#credits.set(credit.source, credit);
    this.relieve();
    this.emit(credit);
  }

  override onBarrier(barrier: Barrier): void {
    const frozen = this.freeze(barrier);
    this.emit(barrier);
    if (isLast(barrier.reason)) {
      this.#resting = true;
      this.onRest();
    }
    this.#acks.barrier(barrier, frozen);
    this.relieve();
  }
}
