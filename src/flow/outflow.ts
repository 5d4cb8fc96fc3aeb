/**
 * Records that an operator emits on its own: at `End`, or when many timers fire together.
 *
 * No credit of a source holds them back. So the operator emits them in slices, each followed by a credit under its own id,
 * which terminals release as they release those of sources. The next slice begins when all terminals have. So what is
 * underway is bounded by one slice, and the event loop gets its turn in between.
 */
import { Subscription } from 'rxjs';
import { Service, type Attempt } from './attempt.js';
import { monotonic, type Clock } from './clock.js';
import { credit, open, type Credit, type Open } from './signals.js';

/** How far all terminals after an operator have dealt with what it emitted on its own. */
export interface Released {
  /** In the operator's own units; `Infinity` without terminals. */
  readonly released: number;
}

/** Flow control of operators that emit on their own. */
export interface Outflows {
  /** Adds an operator. `changed` is called when `released` has grown. */
  open(id: string, changed: () => void): Released;
}

/** Without it, operators do not wait. */
export const outflows = new Service<Outflows>('millrace.outflows', () => ({
  open: () => ({ released: Infinity }),
}));

/** A slice is over after this time, or after this number of steps if the time does not advance. */
const sliceMillis = 2;
const sliceSteps = 1024;

export class Outflow extends Subscription {
  readonly #id: string;
  readonly #clock: Clock;
  readonly #position: Released;
  #steps = 0;
  #credited = 0;
  #waiting: (() => void)[] = [];

  constructor(id: string, attempt: Attempt) {
    super(() => {
      this.#waiting = [];
    });
    this.#id = id;
    this.#clock = attempt.clock;
    this.#position = attempt.use(outflows).open(id, () => {
      if (this.free) for (const work of this.#waiting.splice(0)) this.#yield(work);
    });
  }

  /** `Open` for the operators after this one: terminals release its credits, too. */
  passed({ sources, attempt }: Open): Open {
    return open([...sources, this.#id], attempt);
  }

  /** Whether all terminals have dealt with the slices so far. */
  get free(): boolean {
    return this.#position.released >= this.#credited;
  }

  /** Calls `step` until it returns `false`, or the slice is over. Returns whether it has returned `false`. */
  slice(step: () => boolean): boolean {
    const start = monotonic(this.#clock);
    for (let steps = 1; step(); steps++) {
      this.#steps++;
      if (steps >= sliceSteps || monotonic(this.#clock) - start >= sliceMillis) return false;
    }
    return true;
  }

  /** To be emitted after a slice that was not the last. */
  credit(): Credit {
    return credit(this.#id, (this.#credited = this.#steps));
  }

  /** Calls `work` for the next slice, after pending I/O events. */
  next(work: () => void): void {
    if (this.free) this.#yield(work);
    else this.#waiting.push(work);
  }

  #yield(work: () => void): void {
    if (!this.closed) this.add(this.#clock.yield(work));
  }
}
