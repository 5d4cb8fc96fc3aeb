/**
 * The pump: the hot source of one attempt. It pulls a {@link SourceReader} and pushes records and signals down, one
 * slice (about 64 KiB of input) at a time.
 *
 * States:
 *
 *   new ──open()──▶ opened ──start()──▶ running ──reader's end, or a stop──▶ ended
 *
 * and from any of them `failed` (reported to the job) or `closed`.
 *
 * - open: joins the checkpoints and opens the reader at the restored position; it may fetch ahead. The job itself sends
 *   each leaf its `Open`.
 * - opened: nothing is sent. The job calls `start` once every leaf has every `Open`; barriers wait for it.
 * - running: the loop below.
 * - ended: `End` was sent and reported to the job; or a `stop` barrier was sent, and no record follows it. Barriers,
 *   including the final one, still pass, and are acked with the last position.
 *
 * Every outside event (data is ready, bytes are released, a barrier, a start) only sets a flag and wakes the loop,
 * which runs by `clock.yield`: never inside a delivery, never inside itself, and with pending I/O served in between.
 * Each turn lasts two milliseconds, or as long as the record takes that is being passed on then (and at most 32 slices, if time does
 * not advance): a poll ends when its turn is over, because callbacks may need any time for a record
 * (what is decoded together, such as a block of Avro, is not interrupted). With a single slice, eight
 * connections would deliver eight times what is passed on, and complete fragments would wait for incomplete ones. One
 * thing is not deferred: the reader learns immediately, or right after its poll, that a checkpoint is durable, because
 * the attempt may end with it.
 *
 * One iteration of the loop:
 *
 * 1. Every waiting barrier is sent, to the dead letters as well, and acked with the position. The position is exact
 *    here, because a poll stops at a record boundary. So a barrier waits for at most one slice.
 * 2. Unless the reader waits for data, or `sent − released` has reached the budget, one poll: its records are sent.
 * 3. `Credit` with the cumulative bytes follows them. So outstanding bytes exceed the budget by at most one slice (or
 *    one record, if that is longer).
 * 4. As long as there is more to do, the loop continues, and wakes itself at the end of a turn. A reader that is polled
 *    again and again without progress fails the source (`endlessPolls.ts`).
 */
import type { Subscription } from 'rxjs';
import { MillraceError } from '../errors.js';
import {
  credit,
  end,
  endAgain,
  memory,
  monotonic,
  type Attempt,
  type Barrier,
  type MemoryShare,
  type Signal,
} from '../flow/index.js';
import type { SourceProgress } from '../store/observe/sourceProgress.js';
import { SourceStuck } from './errors.js';
import type { RecordPlace } from './place.js';
import { DurablePositions } from './durablePositions.js';
import { EndlessPolls } from './endlessPolls.js';
import type { DeadLetter, Source, SourceOutput, SourceReader } from './source.js';
import { Standstill, type SourceWait } from './standstill.js';

/** The flow that a pump sends to. */
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
  /** Whether the inputs of all sources were over at the restored checkpoint. Default `false`. */
  readonly flushed?: boolean;
  /** The input is over and `End` was sent: the job may inject the final barrier. */
  readonly ended?: () => void;
  /** A turn is over, or bytes were released while it waited for them: `waiting` may have changed. */
  readonly turned?: () => void;
  /** The source cannot continue. The pump has freed everything and sends nothing more. */
  readonly failed: (error: unknown, place: RecordPlace | undefined) => void;
}

const defaultSourceBudget = 16 * 1024 * 1024;
/** The minimum number of bytes in flight that a source needs for progress, unless its budget is smaller. */
const leastAhead = 1024 * 1024;
const turnMillis = 2;
const slicesPerTurn = 32;

export class SourcePump<T> {
  readonly id: string;
  readonly #options: PumpOptions<T>;
  readonly #attempt: Attempt;
  /** Bytes that may be sent and not yet released. */
  #share: MemoryShare | undefined;
  readonly #output: SourceOutput<T> & { taken: number };
  /** `End` was sent, in this attempt or before the restored checkpoint. */
  #over = false;
  #state: 'new' | 'opened' | 'running' | 'ended' | 'failed' | 'closed' = 'new';
  #reader: SourceReader<T> | undefined;
  readonly #barriers: Barrier[] = [];
  #wakeup: Subscription | undefined;
  #polling = false;
  #turnStart = 0;
  #waiting = false;
  #ready = false;
  #sent = 0;
  #released = 0;
  /** If the reader has `durable`. */
  readonly #positions = new DurablePositions();
  /** Bytes sent before the newest barrier. */
  #beforeBarrier = 0;
  readonly #polls: EndlessPolls;
  readonly #standstill: Standstill;

  constructor(options: PumpOptions<T>) {
    this.id = options.id;
    this.#options = options;
    this.#attempt = options.attempt;
    const { records, letters } = options;
    const polls = new EndlessPolls(options.attempt.clock, () => this.#reader?.position() ?? null);
    this.#polls = polls;
    this.#standstill = new Standstill(options.attempt.clock);
    const turnOver = (): boolean => this.#turnOver;
    const output = (this.#output = {
      taken: 0,
      get turnOver(): boolean {
        return turnOver();
      },
      record: (value: T): void => {
        if (this.#state === 'running') records.next(value);
        output.taken++;
      },
      deadLetter: (letter: DeadLetter): void => {
        polls.made();
        if (this.#state === 'running') letters?.next(letter);
      },
    });
  }

  /** Bytes sent, cumulative, as in the last `Credit`. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether `End` or a `stop` barrier was sent. */
  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** Bytes sent before the newest barrier and not yet released. */
  get buffered(): number {
    return Math.max(0, this.#beforeBarrier - this.#released);
  }

  /** The wait of the source, if it waits. */
  get waiting(): SourceWait | undefined {
    const running = this.#is('running');
    if (running && this.#exhausted()) return this.#standstill.waits(undefined, this.#released);
    const input = running && this.#waiting ? this.#reader?.waitsFor?.() : undefined;
    if (input !== undefined) return this.#standstill.waits(input, this.#sent);
    this.#standstill.over();
    return undefined;
  }

  /** How far the source has come, if it knows that. */
  get progress(): SourceProgress | undefined {
    return this.#reader?.progress?.();
  }

  /** The record that is being sent right now, if any. */
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
        this.#positions.durable(checkpoint);
        if (!this.#polling) this.#reportDurable();
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
      const { snapshot: restored, ended } = this.#attempt.restored(id) ?? {};
      this.#over = ended === true || this.#options.flushed === true;
      // The restored position is the first that is reported, whatever its checkpoint.
      if (restored !== undefined) this.#positions.add(0, restored);
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

  #reportDurable(): void {
    const durable = this.#positions.take();
    if (durable === undefined) return;
    try {
      this.#reader?.durable?.(durable.position, durable.checkpoint);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Starts sending records. */
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

  /** Every terminal has processed the first `bytes` bytes. Cumulative. */
  released(bytes: number): void {
    if (bytes <= this.#released) return;
    const waited = this.#exhausted();
    this.#released = bytes;
    this.#reportHeld();
    if (waited) this.#options.turned?.();
    this.#wake();
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
    this.#positions.clear();
    this.#reader?.close();
    this.#reader = undefined;
    this.#share?.leave();
  }

  /** Reads the state anew: TypeScript assumes that calls do not change it. */
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
    this.#turnStart = monotonic(this.#attempt.clock);
    try {
      for (let slices = 0; slices < slicesPerTurn && this.#due(); slices++) {
        this.#sendBarriers();
        if (this.#is('running') && !this.#blocked()) this.#poll();
        if (this.#turnOver) break;
      }
    } catch (error) {
      this.#fail(error);
    }
    // Only now, so that nothing during the turn starts another one.
    this.#wakeup = undefined;
    this.#wake();
    this.#options.turned?.();
  }

  get #turnOver(): boolean {
    return monotonic(this.#attempt.clock) - this.#turnStart >= turnMillis;
  }

  #sendBarriers(): void {
    // Barriers that arrive meanwhile wait for the next iteration.
    for (const barrier of this.#barriers.splice(0)) {
      const reader = this.#reader;
      if (reader === undefined) return;
      const snapshot = reader.position();
      if (reader.durable !== undefined) this.#positions.add(barrier.checkpoint, snapshot);
      this.#beforeBarrier = this.#sent;
      this.#send(barrier);
      if (!this.#is('running') && !this.#is('ended')) return;
      barrier.ack(this.id, { snapshot, ...(this.#over ? { ended: true } : {}) });
      if (barrier.reason === 'stop') this.#state = 'ended';
    }
  }

  #poll(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#ready = false;
    this.#output.taken = 0;
    // Stays set if the poll throws, so that `place` is known.
    this.#polling = true;
    const result = reader.poll(this.#output);
    this.#polling = false;
    this.#reportDurable();
    if (this.#output.taken > 0) this.#polls.made();
    if (!this.#is('running')) return;
    this.#waiting = result === 'wait';
    if (reader.bytes > this.#sent) {
      this.#sent = reader.bytes;
      // The input was over, and has new records.
      this.#over = false;
      this.#send(credit(this.id, this.#sent));
      this.#polls.made();
    } else if (result !== 'end') this.#checkProgress(reader);
    if (result !== 'end' || !this.#is('running')) return;
    this.#state = 'ended';
    this.#send(this.#over ? endAgain : end);
    this.#over = true;
    if (this.#is('ended')) this.#options.ended?.();
  }

  #checkProgress(reader: SourceReader<T>): void {
    const polls = this.#polls.missed();
    if (polls === undefined) return;
    throw new SourceStuck(this.id, this.#options.source.description, reader.position(), polls);
  }

  #send(signal: Signal): void {
    this.#options.records.next(signal);
    this.#options.letters?.next(signal);
  }
}
