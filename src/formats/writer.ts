/**
 * Writing: a {@link Writer} opens a {@link FileEncoder} for each file, and the encoder turns records into the bytes of
 * the file. A checkpoint may come at any time, and the file continues after it. If that checkpoint is restored, the
 * file ends there: it is published with what was written before, as a whole file. A writer says how ({@link Restore}).
 *
 * Most formats are rows, each with its own bytes and nothing around them: a {@link RowWriter} is all they need.
 */

/** Takes the bytes of a file. A string is stored as UTF-8; bytes are copied immediately. */
export interface FileOutput {
  write(chunk: string | Uint8Array): void;
}

/** Writes one file. All of it is synchronous. */
export interface FileEncoder<T> {
  /** Adds a record. An error means that the record cannot be encoded: nothing of it may have been written. */
  write(record: T): void;
  /** Bytes of memory that it holds, about. They count towards the sink's budget; a file that holds much may be finished early. */
  readonly held: number;
  /**
   * A checkpoint: see {@link Restore}. Called only where `write` was called since the last one.
   *
   * @param all rows that earlier checkpoints have are wanted again, because they lie in too many places
   */
  persist?(all: boolean): Persisted;
  /** Writes the rest of the file. Nothing is called afterwards. */
  finish(): void;
}

/** State of a file that a checkpoint keeps besides the bytes that were written. */
export interface Persisted {
  /** With `closing`: the bytes that would close the file here. */
  readonly closing?: Uint8Array;
  /** With rows: those that are not in the output yet. */
  readonly rows?: {
    /** Encoded in any form that `seal` reads: what is new since the last checkpoint, or all. */
    readonly added: Uint8Array;
    /** `added` is all there is: the earlier ones are in the output by now, or in `added` again. */
    readonly afresh: boolean;
    /** What else `seal` needs, such as the content of a footer so far. Replaces the last one. */
    readonly state: Uint8Array;
  };
}

/**
 * How a restore makes a whole file of what a checkpoint kept:
 *
 * - `anywhere`: what was written is a whole file at any time. There is no `persist`.
 * - `closing`: `persist` writes out what is held, and returns the bytes that would close the file.
 * - rows: `persist` returns what is held, as rows, and {@link RowSeal.seal} makes the rest of the file of them.
 * - `whole`: it cannot. The file is finished at every checkpoint.
 */
export type Restore = 'anywhere' | 'closing' | 'whole' | RowSeal;

export interface RowSeal {
  /** The form of rows and state. A checkpoint names it, and is sealed by no other. */
  readonly name: string;
  /** The rest of the file. The same arguments must give the same bytes: it may be called again. */
  seal(state: Uint8Array, rows: Uint8Array): Uint8Array;
}

/** A format of files. */
export interface Writer<T> {
  /** The usual ending of such files, with the dot: `.parquet`. */
  readonly extension: string;
  readonly restore: Restore;
  open(out: FileOutput): FileEncoder<T>;
}

/** A format of rows, written one after the other; every row's bytes end in the format's boundary. */
export interface RowWriter<T> {
  /** The usual ending of such files, with the dot: `.ndjson`. */
  readonly extension: string;
  /** One record, boundary included: a string, which is stored as UTF-8, or bytes, which are copied immediately. */
  encode(record: T): string | Uint8Array;
}

/** A format of rows as a format of files. */
export function writerOf<T>(format: Writer<T> | RowWriter<T>): Writer<T> {
  if ('open' in format) return format;
  return { extension: format.extension, restore: 'anywhere', open: (out) => new RowEncoder(format, out) };
}

class RowEncoder<T> implements FileEncoder<T> {
  readonly held = 0;

  constructor(
    private readonly format: RowWriter<T>,
    private readonly out: FileOutput,
  ) {}

  write(record: T): void {
    this.out.write(this.format.encode(record));
  }

  finish(): void {
    // The last row was the end.
  }
}
