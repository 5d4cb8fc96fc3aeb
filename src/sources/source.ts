import type { Attempt, FlowOperator, Json } from '../flow/index.js';
import type { SourceProgress } from '../store/observe/sourceProgress.js';
import type { RecordPlace } from './place.js';

export type { RecordPlace } from './place.js';

/** A source of records, with a position that checkpoints hold. */
export interface Source<T> {
  /** For messages: `files s3://lake/raw/**`. */
  readonly description: string;
  /** The sink for malformed records: a separate leaf with the same barriers. */
  readonly deadLetter?: FlowOperator<DeadLetter, never>;
  /** Opens it for one attempt. Requests may start immediately; records are returned only by `poll`. */
  open(context: SourceContext): SourceReader<T>;
}

export interface SourceContext {
  readonly id: string;
  readonly attempt: Attempt;
  /** The {@link SourceReader.position} at the restored checkpoint; `undefined` on a first start. */
  readonly position: Json | undefined;
  /** Call it when data has arrived, so that `poll` is called again. Must not be called inside `poll`. */
  readonly ready: () => void;
  /** Call it when the reader cannot continue. */
  readonly fail: (error: unknown) => void;
}

/** Reads a source in one attempt. The pump pulls; the reader never pushes. */
export interface SourceReader<T> {
  /**
   * Passes some records to `out`, about 64 KiB of input, or less if `out.turnOver`, so that barriers, timers and I/O get their
   * turn, and stops at a record boundary. `wait`: no data yet, `ready` will be called. `end`: the input is over.
   */
  poll(out: SourceOutput<T>): 'more' | 'wait' | 'end';
  /** Where the next record starts. Exact after every `poll`. */
  position(): Json;
  /**
   * A checkpoint with `position` is durable: no later run starts before it, unless the job is rewound manually. For
   * readers that acknowledge input at its origin (commit offsets, delete messages).
   *
   * Called in order, and not for subsumed checkpoints. The restored position is reported again at each start, because
   * the previous attempt may have died before it acted on it. Requests still in flight when the reader is closed may
   * be aborted. Never called inside `poll`.
   */
  durable?(position: Json, checkpoint: number): void;
  /** Bytes of (decompressed) input passed on since `open`, cumulative. */
  readonly bytes: number;
  /**
   * After a `poll` that returned `wait`: the outstanding request, as the end of a sentence: `an answer about …`. If
   * it stays the same for a while, the job is stalled. `undefined`, or no such method: the reader waits for data that
   * does not exist yet, which is not a stall.
   */
  waitsFor?(): string | undefined;
  /** How far it has come: reported by events `progress` and in metrics. Between polls, at most once a second. */
  progress?(): SourceProgress;
  /** The record that `poll` is passing on or decoding; called within a poll when an error occurs there. */
  place?(): RecordPlace | undefined;
  /** Aborts requests and frees buffers. */
  close(): void;
}

export interface SourceOutput<T> {
  record(value: T): void;
  /** Records taken in this poll, without one that is being taken. */
  readonly taken: number;
  /** Whether records have taken so much time that the poll should end. It reads the clock. */
  readonly turnOver: boolean;
  deadLetter(letter: DeadLetter): void;
}

/** A malformed record, for the dead letter sink. */
export interface DeadLetter {
  readonly source: string;
  /** URI of the object. */
  readonly object: string;
  /** Byte offset in the (decompressed) object. */
  readonly offset: number;
  /** 1-based; the number of the record in formats without lines; 0 in a split that is not the first of its object. */
  readonly line: number;
  readonly text: string;
  readonly reason: string;
}
