/**
 * What every request passes before it takes a socket: so that waiting happens here, in a fair order and abortable, and
 * not in a queue of the socket pool, where timeouts would already run.
 *
 * A request starts when a place is free and its bucket's pace allows it. Buckets take turns, requests of one bucket go
 * in order. A bucket that is held back by its pace holds back nobody else.
 */
import type { Subscription } from 'rxjs';
import { monotonic, type Clock } from '../../flow/index.js';
import { answered, freePace, started, throttled, waitOf, type Pace } from './pace.js';

/** A request that was let in. */
export interface Pass {
  /** How it was answered: once. `retryAfter` in milliseconds. */
  answered(how: 'throttled' | 'otherwise', retryAfter?: number): void;
  /** Its place is free again. */
  leave(): void;
}

export interface GateOptions {
  readonly places: number;
  readonly clock: Clock;
  /** Whether buckets that throttle are asked less. */
  readonly paced: boolean;
  /** A `Retry-After` holds a bucket back for no longer: servers say anything. Milliseconds. */
  readonly longestHold: number;
  /** A bucket's rate (requests a second) was lowered, or its limit is gone (`Infinity`). */
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

  /** Requests that were let in and have not left. */
  get inside(): number {
    return this.#inside;
  }

  get waiting(): number {
    return [...this.#waiting.values()].reduce((sum, queue) => sum + queue.size, 0);
  }

  /** Calls `granted` once, perhaps at once. What comes back withdraws a request that still waits. */
  enter(bucket: string, granted: Granted): () => void {
    let queue = this.#waiting.get(bucket);
    if (queue === undefined) this.#waiting.set(bucket, (queue = new Set()));
    // A function of its own for each request: the same one may ask twice.
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

  /** Who may start now, its turn taken; sets the alarm if time alone is missing. */
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
