/**
 * The pump: the hot source of one attempt. It pulls a {@link SourceReader} and pushes records and signals down, one
 * slice (about 64 KiB of input) at a time.
 *
 * States:
 *
 *   new ──open()──▶ opened ──start()──▶ running ──reader's end, or a stop──▶ ended
 *
 * and from any of them `failed` (the job was told) or `closed`.
 *
 * - open: joins the checkpoints and opens the reader at the restored position; it may fetch ahead. `Open` itself is sent
 *   by the job, to each leaf its own.
 * - opened: nothing is sent. The job calls `start` once every leaf has every `Open`; barriers wait for it.
 * - running: the loop below.
 * - ended: `End` has gone down, and the job was told; or a `stop` barrier has, and no record follows it. Barriers, the
 *   final one among them, still pass, and are acked with the last position.
 *
 * Everything that comes from outside (data is ready, bytes are released, a barrier, a start) only leaves a mark and
 * wakes the loop, which runs by `clock.yield`: never inside a delivery, never inside itself, and with pending I/O served
 * in between. Each time it goes round for two milliseconds (and 32 slices at most, where time stands still): with a single
 * slice, eight connections would bring eight times what is handed on, and what is complete would wait for what is not.
 * One thing is not put off: that a checkpoint is durable is told to the reader at once, or right after its poll, for the
 * attempt may end with it.
 *
 * One round of the loop:
 *
 * 1. Every waiting barrier is sent, into the dead letters too, and acked with the position. The position is exact here,
 *    because a poll stops at a record boundary. So a barrier waits for one slice at most.
 * 2. Unless the reader waits for data, or `sent − released` has reached the budget, one poll: its records go down.
 * 3. `Credit` with the cumulative bytes follows them. So what is outstanding exceeds the budget by one slice at most
 *    (and by what a single record is longer than that).
 * 4. As long as there is more to do, the loop goes round, and then wakes itself. A reader that is polled again and again
 *    and gets nowhere fails the source (`progress.ts`).
 */
import type { Subscription } from 'rxjs';
import { MillraceError } from '../errors.js';
import {
  credit,
  end,
  memory,
  monotonic,
  type Attempt,
  type Barrier,
  type Json,
  type MemoryShare,
  type Signal,
} from '../flow/index.js';
import { SourceStuck } from './errors.js';
import type { RecordPlace } from './place.js';
import { Progress } from './progress.js';
import type { DeadLetter, Source, SourceOutput, SourceReader } from './source.js';
import { Standstill, type SourceWait } from './standstill.js';

/** Where a pump sends to. */
export interface PumpOutput<T> {
  next(value: T | Signal): void;
}

export interface PumpOptions<T> {
  readonly id: string;
  readonly source: Source<T>;
  readonly attempt: Attempt;
  /** Bytes that may be sent and not yet released. Default 16 MiB. */
  readonly budget?: number;
  readonly records: PumpOutput<T>;
  /** The flow into `source.deadLetter`. It gets every signal that `records` gets. */
  readonly letters?: PumpOutput<DeadLetter>;
  /** The restored checkpoint is that of an input that was over. Default `false`. */
  readonly flushed?: boolean;
  /** The input is over and `End` has gone down: the job may inject the final barrier. */
  readonly ended?: (flushed: boolean) => void;
  /** A turn is over, or bytes were released while it waited for them: `waiting` may have changed. */
  readonly turned?: () => void;
  /** The source cannot go on. The pump has freed everything; nothing more is sent. */
  readonly failed: (error: unknown, place: RecordPlace | undefined) => void;
}

const defaultSourceBudget = 16 * 1024 * 1024;
/** Bytes that a source has to have in flight to get on, unless its budget is smaller. */
const leastAhead = 1024 * 1024;
const turnMillis = 2;
const slicesPerTurn = 32;

export class SourcePump<T> {
  readonly id: string;
  readonly #options: PumpOptions<T>;
  readonly #attempt: Attempt;
  /** What may be sent and not yet released. */
  #share: MemoryShare | undefined;
  readonly #output: SourceOutput<T> & { taken: number };
  #state: 'new' | 'opened' | 'running' | 'ended' | 'failed' | 'closed' = 'new';
  #reader: SourceReader<T> | undefined;
  readonly #barriers: Barrier[] = [];
  #wakeup: Subscription | undefined;
  #polling = false;
  #waiting = false;
  #ready = false;
  #sent = 0;
  #released = 0;
  /** Positions that checkpoints hold and that are not known to be durable, in order; of readers that want to know. */
  #undurable: { readonly checkpoint: number; readonly position: Json }[] = [];
  /** The newest of them that is, until the reader has heard of it. */
  #durable: { readonly checkpoint: number; readonly position: Json } | undefined;
  /** What was sent before the newest barrier. */
  #beforeBarrier = 0;
  readonly #progress: Progress;
  readonly #standstill: Standstill;

  constructor(options: PumpOptions<T>) {
    this.id = options.id;
    this.#options = options;
    this.#attempt = options.attempt;
    const { records, letters } = options;
    const progress = new Progress(options.attempt.clock, () => this.#reader?.position() ?? null);
    this.#progress = progress;
    this.#standstill = new Standstill(options.attempt.clock);
    const output = (this.#output = {
      taken: 0,
      record: (value: T): void => {
        if (this.#state === 'running') records.next(value);
        output.taken++;
      },
      deadLetter: (letter: DeadLetter): void => {
        progress.made();
        if (this.#state === 'running') letters?.next(letter);
      },
    });
  }

  /** Bytes sent, cumulative: what the last `Credit` said. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether `End` has gone down. */
  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** Bytes sent before the newest barrier and not yet released. */
  get buffered(): number {
    return Math.max(0, this.#beforeBarrier - this.#released);
  }

  /** What it waits for, if it waits. */
  get waiting(): SourceWait | undefined {
    const running = this.#is('running');
    if (running && this.#exhausted()) return this.#standstill.waits(undefined, this.#released);
    const input = running && this.#waiting ? this.#reader?.waitsFor?.() : undefined;
    if (input !== undefined) return this.#standstill.waits(input, this.#sent);
    this.#standstill.over();
    return undefined;
  }

  /** The record that is going down right now, if one is. */
  get place(): RecordPlace | undefined {
    return this.#polling ? this.#reader?.place?.() : undefined;
  }

  /** Joins the attempt and opens the reader. Throws `DuplicateId`; everything else is reported as a failure. */
  open(): void {
    if (this.#state !== 'new') return;
    const { id, source, letters } = this.#options;
    this.#attempt.register({
      id,
      kind: 'source',
      durable: (checkpoint) => {
        this.#becameDurable(checkpoint);
      },
    });
    this.#state = 'opened';
    try {
      const { budget = defaultSourceBudget } = this.#options;
      this.#share = this.#attempt.use(memory).share({
        who: `source '${id}' (records in flight)`,
        least: Math.min(budget, leastAhead),
        most: budget,
        changed: () => {
          this.#reportHeld();
          this.#wake();
        },
      });
      if (source.deadLetter !== undefined && letters === undefined) {
        throw new MillraceError(
          'NoDeadLetters',
          `Source '${id}' has a dead letter flow without a subscriber.`,
        );
      }
      const restored = this.#attempt.restored(id)?.snapshot;
      // Whatever the restored checkpoint is, it is the first that is reported.
      if (restored !== undefined) this.#undurable.push({ checkpoint: 0, position: restored });
      const reader = source.open({
        id,
        attempt: this.#attempt,
        position: restored,
        ready: () => {
          this.#ready = true;
          this.#wake();
        },
        fail: (error) => this.#fail(error),
      });
      // The reader may have failed, or the job closed the pump, while it was being opened.
      if (this.#is('opened')) this.#reader = reader;
      else reader.close();
    } catch (error) {
      this.#fail(error);
    }
  }

  #becameDurable(checkpoint: number): void {
    const passed = this.#undurable.filter((each) => each.checkpoint <= checkpoint).length;
    const newest = this.#undurable.splice(0, passed).at(-1);
    if (newest === undefined) return;
    this.#durable = { checkpoint, position: newest.position };
    if (!this.#polling) this.#reportDurable();
  }

  #reportDurable(): void {
    const durable = this.#durable;
    if (durable === undefined) return;
    this.#durable = undefined;
    try {
      this.#reader?.durable?.(durable.position, durable.checkpoint);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Lets records go. */
  start(): void {
    if (this.#state !== 'opened') return;
    this.#state = 'running';
    this.#wake();
  }

  /** Injects a barrier at the next record boundary, at most a slice from now, and acks it. */
  barrier(barrier: Barrier): void {
    this.#barriers.push(barrier);
    this.#wake();
  }

  /** Every terminal has dealt with the first `bytes` bytes. Cumulative. */
  released(bytes: number): void {
    if (bytes <= this.#released) return;
    const waited = this.#exhausted();
    this.#released = bytes;
    this.#reportHeld();
    if (waited) this.#options.turned?.();
    this.#wake();
  }

  /** Sends the `End` that was withheld because another source had more to say. */
  end(): void {
    this.#send(end);
  }

  /** Aborts requests and frees everything. Sends nothing more. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#free();
  }

  #free(): void {
    this.#wakeup?.unsubscribe();
    this.#wakeup = undefined;
    this.#barriers.length = 0;
    this.#undurable = [];
    this.#reader?.close();
    this.#reader = undefined;
    this.#share?.leave();
  }

  /** A look at the state that survives calls which may have changed it. */
  #is(state: 'opened' | 'running' | 'ended'): boolean {
    return this.#state === state;
  }

  #fail(error: unknown): void {
    if (this.#state === 'failed' || this.#state === 'closed') return;
    this.#state = 'failed';
    const { place } = this;
    this.#free();
    this.#options.failed(error, place);
  }

  #wake(): void {
    if (this.#wakeup !== undefined || !(this.#is('running') || this.#is('ended'))) return;
    if (!this.#due()) return;
    this.#wakeup = this.#attempt.clock.yield(() => {
      this.#turn();
    });
  }

  /** Whether a turn would do anything. */
  #due(): boolean {
    return this.#barriers.length > 0 || (this.#is('running') && !this.#blocked());
  }

  #blocked(): boolean {
    return (this.#waiting && !this.#ready) || this.#exhausted();
  }

  #exhausted(): boolean {
    return this.#sent - this.#released >= (this.#share?.limit ?? 0);
  }

  #reportHeld(): void {
    this.#share?.holds(Math.max(0, this.#sent - this.#released));
  }

  #turn(): void {
    const { clock } = this.#attempt;
    const start = monotonic(clock);
    try {
      for (let slices = 0; slices < slicesPerTurn && this.#due(); slices++) {
        this.#sendBarriers();
        if (this.#is('running') && !this.#blocked()) this.#poll();
        if (monotonic(clock) - start >= turnMillis) break;
      }
    } catch (error) {
      this.#fail(error);
    }
    // Only now: what came during the turn must not have started another one.
    this.#wakeup = undefined;
    this.#wake();
    this.#options.turned?.();
  }

  #sendBarriers(): void {
    // Those that arrive meanwhile wait for the next turn.
    for (const barrier of this.#barriers.splice(0)) {
      const reader = this.#reader;
      if (reader === undefined) return;
      const snapshot = reader.position();
      if (reader.durable !== undefined)
        this.#undurable.push({ checkpoint: barrier.checkpoint, position: snapshot });
      this.#beforeBarrier = this.#sent;
      this.#send(barrier);
      if (!this.#is('running') && !this.#is('ended')) return;
      barrier.ack(this.id, { snapshot });
      if (barrier.reason === 'stop') this.#state = 'ended';
    }
  }

  #poll(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#ready = false;
    this.#output.taken = 0;
    // Stays set where the poll throws: then it tells where.
    this.#polling = true;
    const result = reader.poll(this.#output);
    this.#polling = false;
    this.#reportDurable();
    if (this.#output.taken > 0) this.#progress.made();
    if (!this.#is('running')) return;
    this.#waiting = result === 'wait';
    if (reader.bytes > this.#sent) {
      this.#sent = reader.bytes;
      this.#send(credit(this.id, this.#sent));
      this.#progress.made();
    } else if (result !== 'end') this.#checkProgress(reader);
    if (result !== 'end' || !this.#is('running')) return;
    this.#state = 'ended';
    // What operators held was flushed by the End of the attempt that is restored: a second one would flush it twice.
    const flushed = this.#options.flushed === true && this.#sent === 0;
    if (!flushed) this.end();
    if (this.#is('ended')) this.#options.ended?.(flushed);
  }

  #checkProgress(reader: SourceReader<T>): void {
    const polls = this.#progress.missed();
    if (polls === undefined) return;
    throw new SourceStuck(this.id, this.#options.source.description, reader.position(), polls);
  }

  #send(signal: Signal): void {
    this.#options.records.next(signal);
    this.#options.letters?.next(signal);
  }
}
