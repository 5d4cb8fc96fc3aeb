/**
 * Admission control in front of the socket pool: requests wait here, in fair order and abortable, and not in the pool's
 * queue, where timeouts would already run.
 *
 * A request starts when a place is free and its bucket's pace allows it. Buckets take turns; requests of one bucket start in
 * order. A bucket that is throttled does not delay others.
 */
import type { Subscription } from 'rxjs';
import { monotonic, type Clock } from '../../flow/index.js';
import { answered, freePace, started, throttled, waitOf, type Pace } from './pace.js';

/** An admitted request. */
export interface Pass {
  /** Reports the response, once. `retryAfter` in milliseconds. */
  answered(how: 'throttled' | 'otherwise', retryAfter?: number): void;
  /** Frees its place. */
  leave(): void;
}

export interface GateOptions {
  readonly places: number;
  readonly clock: Clock;
  /** Whether the request rate follows throttling. */
  readonly paced: boolean;
  /** Upper bound of a `Retry-After`. Milliseconds. */
  readonly longestHold: number;
  /** Called when a bucket's rate (requests per second) was lowered, or its limit removed (`Infinity`). */
  readonly onPace?: (bucket: string, rate: number) => void;
}

type Granted = (pass: Pass) => void;

export class Gate {
  readonly #options: GateOptions;
  readonly #waiting = new Map<string, Set<Granted>>();
  readonly #paces = new Map<string, Pace>();
  #inside = 0;
  #pumping = false;
  #alarm: Subscription | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Admitted requests that have not left. */
  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return [...this.#waiting.values()].reduce((sum, queue) => sum + queue.size, 0);
  }

  /** Calls `granted` once, possibly synchronously. The returned function withdraws a waiting request. */
  enter(bucket: string, granted: Granted): () => void {
    let queue = this.#waiting.get(bucket);
    if (queue === undefined) this.#waiting.set(bucket, (queue = new Set()));
    // A separate function for each request: the same one may enter twice.
    const entry: Granted = (pass) => granted(pass);
    queue.add(entry);
    this.#pump();
    return () => {
      if (queue.delete(entry) && queue.size === 0 && this.#waiting.get(bucket) === queue)
        this.#waiting.delete(bucket);
      if (this.#waiting.size === 0) this.#disarm();
    };
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#disarm();
    for (;;) {
      const next = this.#next();
      if (next === undefined) break;
      this.#inside++;
      next();
    }
    this.#pumping = false;
  }

  /** Dequeues the next request that may start; sets the alarm if only time is missing. */
  #next(): (() => void) | undefined {
    if (this.#inside >= this.#options.places) return undefined;
    const now = monotonic(this.#options.clock);
    let soonest = Infinity;
    for (const [bucket, queue] of this.#waiting) {
      const pace = this.#paces.get(bucket) ?? freePace;
      const wait = this.#options.paced ? waitOf(pace, now) : 0;
      const [entry] = queue;
      if (wait > 0 || entry === undefined) {
        soonest = Math.min(soonest, wait);
        continue;
      }
      queue.delete(entry);
      this.#waiting.delete(bucket);
      if (queue.size > 0) this.#waiting.set(bucket, queue);
      if (this.#options.paced) this.#paces.set(bucket, started(pace, now));
      return () => entry(this.#pass(bucket, now));
    }
    if (soonest < Infinity) this.#alarm = this.#options.clock.after(Math.ceil(soonest), () => this.#pump());
    return undefined;
  }

  #pass(bucket: string, since: number): Pass {
    let left = false;
    let told = false;
    return {
      answered: (how, retryAfter = 0) => {
        if (told || !this.#options.paced) return;
        told = true;
        const now = monotonic(this.#options.clock);
        const pace = this.#paces.get(bucket) ?? freePace;
        const next =
          how === 'throttled'
            ? throttled(pace, now, since, Math.min(retryAfter, this.#options.longestHold))
            : answered(pace, now, since);
        this.#paces.set(bucket, next);
        if (next.cutAt !== pace.cutAt) this.#options.onPace?.(bucket, next.rate);
        if (next !== pace) this.#pump();
      },
      leave: () => {
        if (left) return;
        left = true;
        this.#inside--;
        this.#pump();
      },
    };
  }

  #disarm(): void {
    this.#alarm?.unsubscribe();
    this.#alarm = undefined;
  }
}
