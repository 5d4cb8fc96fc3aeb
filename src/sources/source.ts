import type { Attempt, FlowOperator, Json } from '../flow/index.js';
import type { RecordPlace } from './place.js';

export type { RecordPlace } from './place.js';

/** Something that records come from, with a position that a checkpoint can hold. */
export interface Source<T> {
  /** For messages: `files s3://lake/raw/**`. */
  readonly description: string;
  /** Where records that cannot be parsed go: a leaf of its own, under the same barriers. */
  readonly deadLetter?: FlowOperator<DeadLetter, never>;
  /** Opens it for one attempt. Requests may start at once; records come only by `poll`. */
  open(context: SourceContext): SourceReader<T>;
}

export interface SourceContext {
  readonly id: string;
  readonly attempt: Attempt;
  /** What {@link SourceReader.position} gave at the restored checkpoint; `undefined` on a first start. */
  readonly position: Json | undefined;
  /** The reader's data has come: `poll` is worth calling again. Never called inside `poll`. */
  readonly ready: () => void;
  /** The reader cannot go on. */
  readonly fail: (error: unknown) => void;
}

/** One attempt's reading of a source. Pulled by the pump; pushes nothing by itself. */
export interface SourceReader<T> {
  /**
   * Hands over some records (about 64 KiB of input, so that barriers and I/O get their turn) and stops at a record
   * boundary. `wait`: nothing here yet, `ready` will be called. `end`: the input is over.
   */
  poll(out: SourceOutput<T>): 'more' | 'wait' | 'end';
  /** Where the next record starts. Exact after every `poll`. */
  position(): Json;
  /**
   * A checkpoint that holds `position` is durable: no later run starts before it, unless the job is rewound by hand. For
   * readers that tell the origin how far it may forget (offsets to commit, messages to delete).
   *
   * Called in order, for the newest durable checkpoint only: one that was subsumed is not reported, the one that took its
   * place is. The restored position is reported again at each start, because the attempt before may have died before it
   * acted on it. What is still under way when the reader is closed may be given up. Never called inside `poll`.
   */
  durable?(position: Json, checkpoint: number): void;
  /** Bytes of (decompressed) input handed over since `open`, cumulative. */
  readonly bytes: number;
  /**
   * What a reader whose last `poll` gave `wait` has asked for and not got, as the end of a sentence: `an answer about …`.
   * Where that is the same for a while, the job is stalled. `undefined`, or no such method: it waits for data that does
   * not exist yet, for as long as it takes.
   */
  waitsFor?(): string | undefined;
  /** The record that `poll` is handing over or decoding; asked from within a poll when an error arises there. */
  place?(): RecordPlace | undefined;
  /** Aborts requests and frees buffers. */
  close(): void;
}

export interface SourceOutput<T> {
  record(value: T): void;
  /** Records that have been taken in this poll. While one is being taken, it does not count. */
  readonly taken: number;
  deadLetter(letter: DeadLetter): void;
}

/** A record that could not be parsed, as it goes to the dead letter sink. */
export interface DeadLetter {
  readonly source: string;
  /** URI of the object. */
  readonly object: string;
  /** Byte offset in the (decompressed) object. */
  readonly offset: number;
  /** 1-based. */
  readonly line: number;
  readonly text: string;
  readonly reason: string;
}
