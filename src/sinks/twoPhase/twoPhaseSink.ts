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

/** What a sink prepares on `Open`. */
export interface Prepared<C> {
  readonly kind: TwoPhaseKind<C>;
  /** Records follow when it completes; its values are ignored. Default: completed. */
  readonly ready?: Observable<unknown>;
  /** Whether `lost` committables count as published because consumers remove them. Default `false`. */
  readonly acceptsLost?: boolean;
}

/**
 * The base class of sinks that publish their records exactly once:
 *
 * 1. **Open.** The sink registers. All pending committables of the restored checkpoint are checked, then published.
 * 2. **Records** are collected, and stored by concurrent requests, each registered with {@link TwoPhaseSink.begin}.
 * 3. **Barrier.** What was collected is frozen, and the barrier is passed on. It is acked once all work begun before
 *    it is stored. *Crash:* the previous checkpoint is restored.
 * 4. **Durable.** The pending committables of the manifest are published and confirmed. Until then, every manifest
 *    repeats them. *Crash:* the next attempt publishes them, which is idempotent.
 * 5. **Credits** are released while there is room, so that sources wait for the slowest sink.
 * 6. **Last barrier.** After it no more work begins, as no checkpoint would name it.
 *
 * Teardown only aborts requests: a durable checkpoint may name what they have created.
 */
export abstract class TwoPhaseSink<A, C> extends FlowSubscriber<A, never> {
  protected readonly id: string;
  #attempt!: Attempt;
  #acks!: Acks<C>;
  #resting = false;
  /** The newest credit of each source. */
  readonly #credits = new Map<string, Credit>();

  constructor(out: Subscriber<Signal>, id: string) {
    super(out);
    this.id = id;
  }

  /** Called on `Open`: prepares the sink, and returns what it publishes. */
  protected abstract prepare(attempt: Attempt): Prepared<C>;

  /** Freezes what was collected, in constant time. */
  protected abstract freeze(barrier: Barrier): FrozenWork<C>;

  /** Whether there is no room for more, so that sources must wait. */
  protected abstract get full(): boolean;

  /** Makes room, if possible. */
  protected makeRoom(): void {
    // By default, room becomes free by itself.
  }

  /** The last barrier has arrived: stop timers. */
  protected onRest(): void {
    // No timers by default.
  }

  /** Whether sources wait for room. */
  protected get waitedFor(): boolean {
    return this.#credits.size > 0 && this.full;
  }

  protected get resting(): boolean {
    return this.#resting;
  }

  /**
   * Registers work that the next barrier must wait for. Call the returned function when it is stored.
   *
   * @param object the name of the data object that it writes, if any
   */
  protected begin(object?: string): () => void {
    return this.#acks.begin(object);
  }

  /** Memory was used or freed: lets sources continue, or makes room. */
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
