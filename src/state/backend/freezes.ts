import { Observable, Subscription, type Subscriber } from 'rxjs';
import type { Clock, Frozen } from '../../flow/index.js';
import type { KeyGroupRange } from '../keys/keyGroups.js';
import type { RunWriter } from '../runs/runWriter.js';
import { slicedRun } from '../runs/segmentRun.js';
import { SegmentWriter } from '../runs/segmentWriter.js';
import { sliced, type Step } from '../slices.js';
import type { FrozenCells } from '../state.js';
import type { Compactor } from './compactor.js';
import type { StateEvent } from './events.js';
import type { Footprint } from './footprint.js';
import type { RunList } from './runList.js';

/** Cells that are removed or given back in one step. */
const slice = 1024;

export interface FreezesOptions {
  readonly operator: string;
  readonly clock: Clock;
  readonly report: (event: StateEvent) => void;
  readonly maxParallelism: number;
  readonly keyGroups: KeyGroupRange;
  readonly footprint: Footprint;
  readonly runs: RunList;
  readonly compactor: Compactor;
  readonly writer: () => RunWriter;
  /** The ack of a freeze at that event time: all runs. */
  readonly ack: (eventTime: number) => Frozen;
}

/** What one freeze took from all states, until it is stored. */
interface Pending {
  readonly frozen: readonly FrozenCells[];
  readonly eventTime: number;
  out: Subscriber<Frozen> | undefined;
  cancelled: boolean;
  /** The work that is in progress on it, as the head of the queue. */
  work: 'none' | 'writing' | 'giving back';
}

/** What was frozen, in order, until it is stored or given back: steps 2 to 4 of `backend.ts`. */
export class Freezes {
  readonly #options: FreezesOptions;
  readonly #queue: Pending[] = [];
  #writing = Subscription.EMPTY;
  readonly #removing = new Subscription();
  #closed = false;
  #settled = -Infinity;

  constructor(options: FreezesOptions) {
    this.#options = options;
  }

  /** The event time of the last freeze that was stored. */
  get settled(): number {
    return this.#settled;
  }

  /** See {@link StateBackend.freeze}. */
  add(frozen: readonly FrozenCells[], eventTime: number): Observable<Frozen> {
    const pending: Pending = { frozen, eventTime, out: undefined, cancelled: false, work: 'none' };
    this.#queue.push(pending);
    return new Observable((out) => {
      pending.out = out;
      if (this.#queue[0] === pending) this.#next();
      return () => {
        this.#cancel(pending);
      };
    });
  }

  close(): void {
    this.#closed = true;
    this.#writing.unsubscribe();
    this.#removing.unsubscribe();
  }

  /** Processes the queue up to the first element that must be written or is not subscribed yet. */
  #next(): void {
    for (let head = this.#queue[0]; head !== undefined && !this.#closed; head = this.#queue[0]) {
      // The subscriber of the ack before it may have begun it already.
      if (head.work !== 'none') return;
      if (head.cancelled) {
        this.#giveBack(head);
        return;
      } else if (head.out === undefined) {
        return;
      } else if (head.frozen.every(({ size }) => size === 0)) {
        this.#stored(head);
        this.#ack(head.out, head.eventTime);
      } else {
        this.#write(head, head.out);
        return;
      }
    }
  }

  #write(head: Pending, out: Subscriber<Frozen>): void {
    head.work = 'writing';
    const { clock, operator, report, maxParallelism, keyGroups, footprint, runs, compactor } = this.#options;
    const run = this.#options.writer();
    const writer = new SegmentWriter(head.frozen, run, maxParallelism);
    this.#writing = slicedRun(clock, () => writer.step(), run).subscribe({
      complete: () => {
        runs.add({ keyGroups, segments: run.refs });
        this.#stored(head);
        for (const { ref, requests, plainBytes } of run.written) {
          const { object, cells, bytes } = ref;
          footprint.saw(plainBytes, cells);
          report({ type: 'segment-written', operator, object, entries: cells, bytes, requests });
        }
        this.#ack(out, head.eventTime);
        compactor.compact();
        this.#next();
      },
      error: (error: unknown) => {
        this.#giveBack(head, () => out.error(error));
      },
    });
  }

  #cancel(pending: Pending): void {
    pending.cancelled = true;
    if (this.#closed || this.#queue[0] !== pending || pending.work === 'giving back') return;
    this.#writing.unsubscribe();
    this.#giveBack(pending);
  }

  /** Removes the head of the queue, which is stored. */
  #stored(head: Pending): void {
    this.#queue.shift();
    for (const cells of head.frozen) cells.stored();
    // Acks still to come are of this freeze or a later one.
    this.#settled = head.eventTime;
    this.#removeCleared(head.frozen);
  }

  /** Gives back the cells of the head, and removes it from the queue. Usually there are few: then immediately. */
  #giveBack(head: Pending, then?: () => void): void {
    head.work = 'giving back';
    const left = [...head.frozen];
    const step = (): Step => {
      let most = slice;
      for (let cells = left[0]; cells !== undefined; cells = left[0]) {
        const given = cells.giveBack(most);
        if (given === most) return 'more';
        most -= given;
        left.shift();
      }
      return 'done';
    };
    const end = (): void => {
      this.#queue.shift();
      then?.();
      this.#next();
    };
    if (step() === 'done') end();
    else this.#writing = sliced(this.#options.clock, step).subscribe({ complete: end });
  }

  /** Usually there are few, which are removed immediately. */
  #removeCleared(frozen: readonly FrozenCells[]): void {
    const step = (): Step => {
      let left = slice;
      for (const cells of frozen) left -= cells.removeCleared(left);
      return left > 0 ? 'done' : 'more';
    };
    if (step() === 'more') this.#removing.add(sliced(this.#options.clock, step).subscribe());
  }

  #ack(out: Subscriber<Frozen>, eventTime: number): void {
    this.#options.compactor.settled(() => {
      out.next(this.#options.ack(eventTime));
      out.complete();
    });
  }
}
