/**
 * Writing: a {@link Writer} opens a {@link FileEncoder} for each file, and the encoder turns records into the bytes of
 * the file. A checkpoint may come at any time, and the file continues after it. If that checkpoint is restored, the file
 * ends there: the records before the checkpoint are published as a complete file. {@link Restore} specifies how.
 *
 * Most formats are rows, each with its own bytes and nothing around them. For these a {@link RowWriter} suffices.
 */

/** Takes the bytes of a file. A string is stored as UTF-8; bytes are copied immediately. */
export interface FileOutput {
  write(chunk: string | Uint8Array): void;
}

/** Writes one file. All of it is synchronous. */
export interface FileEncoder<T> {
  /** Adds a record. If it throws, the record cannot be encoded, and none of it may have been written. */
  write(record: T): void;
  /** Approximate bytes of memory that it holds. They count towards the sink's budget. See `flush`. */
  readonly held: number;
  /**
   * Called at a checkpoint if `write` or `flush` was called since the last one: see {@link Restore}.
   *
   * @param all also return the rows of earlier checkpoints, because they are stored in too many places
   */
  persist?(all: boolean): Persisted;
  /**
   * Called when memory is short: writes out what it holds, as far as the format can without finishing the file. If it still
   * holds something afterwards, or has no `flush`, the file is finished instead.
   */
  flush?(): void;
  /** Writes the rest of the file. Nothing is called afterwards. */
  finish(): void;
}

/** State of a file that a checkpoint keeps in addition to the written bytes. */
export interface Persisted {
  /** With `closing`: the bytes that would close the file here. */
  readonly closing?: Uint8Array;
  /** With rows: those that are not in the output yet. */
  readonly rows?: {
    /** The rows since the last checkpoint, or all of them, in any encoding that `seal` reads. */
    readonly added: Uint8Array;
    /** `added` has all rows: earlier ones have been written to the output, or are in `added` again. */
    readonly afresh: boolean;
    /**
     * Other data for `seal`, such as the content of the footer so far. Replaces the previous state; the same array as before is not
     * stored again.
     */
    readonly state: Uint8Array;
  };
}

/**
 * How a restore completes the file of a checkpoint:
 *
 * - `anywhere`: the written bytes are a complete file at any time. There is no `persist`.
 * - `closing`: `persist` writes everything that is held to the output, and returns the bytes that would close the file.
 * - rows: `persist` returns the rows that are held, and {@link RowSeal.seal} makes the rest of the file from them.
 * - `whole`: it does not; the file is finished at every checkpoint.
 */
export type Restore = 'anywhere' | 'closing' | 'whole' | RowSeal;

export interface RowSeal {
  /** Identifies the encoding of rows and state. A checkpoint can only be sealed by a writer with the same name. */
  readonly name: string;
  /** The rest of the file. The same arguments must give the same bytes: it may be called again. */
  seal(state: Uint8Array, rows: Uint8Array): Uint8Array;
}

/** A format of files. */
export interface Writer<T> {
  /** The usual extension of such files, with the dot: `.parquet`. */
  readonly extension: string;
  readonly restore: Restore;
  /**
   * The format compresses its content itself, by this option: `codec of avro()`. A sink does not compress such files again, because
   * nothing could read them. Default: it has no such option.
   */
  readonly compressedBy?: string;
  open(out: FileOutput): FileEncoder<T>;
}

/** A format that writes with other options. */
export interface ReadOnly {
  /** What a sink says that is given this one. */
  readonly onlyReads: string;
}

/** A format of rows, which are written one after another; each ends with the format's boundary. */
export interface RowWriter<T> {
  /** The usual extension of such files, with the dot: `.ndjson`. */
  readonly extension: string;
  /** Encodes a record with its boundary: a string, which is stored as UTF-8, or bytes, which are copied immediately. */
  encode(record: T): string | Uint8Array;
}

/** Adapts a format of rows to a format of files. */
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
    // The file is complete after its last row.
  }
}
