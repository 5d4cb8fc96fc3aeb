/**
 * Writes a Parquet file that stays open over any number of checkpoints, although its rows are stored by columns.
 *
 * 1. `write` fits a record to the columns (`fit.ts`): all of its values, or none. The row is held in memory.
 * 2. When the rows that are held have the size of a row group, or memory is short, they are written as one. It is never written
 *    again: its bytes are the file's, and what the footer lists of it becomes part of the state.
 * 3. A checkpoint keeps the rows that are held, packed (`packing.ts`): those since the last one, unless a row group was written in
 *    between, which has the rows of earlier ones. And it keeps the state: the groups before them (`groupState.ts`).
 * 4. A crash loses what came after the checkpoint. Restore writes the packed rows as the last row group, and the footer.
 *    The bytes are a function of state and rows, so that it may be done again, by another process.
 * 5. `finish` does the same with the rows that are held.
 */
import { MillraceError } from '../../errors.js';
import type { FileEncoder, FileOutput, Persisted, RowSeal } from '../writer.js';
import { columnOf, type Column } from './columns.js';
import { recordFit } from './fit.js';
import { decodeState, encodeState } from './groupState.js';
import { Misfit } from './misfit.js';
import { pack, unpack } from './packing.js';
import { RowGroups } from './rowGroups.js';
import { compressionOf, type WritingCodec } from './writeCodecs.js';
import type { Field } from './types.js';

export interface Writing {
  readonly fields: readonly Field[];
  readonly codec: WritingCodec;
  /** Bytes held that make a row group. */
  readonly groupBytes: number;
  readonly groupRows: number;
}

export class ParquetEncoder<T> implements FileEncoder<T> {
  readonly #writing: Writing;
  readonly #out: FileOutput;
  readonly #fit: (record: unknown, target: unknown[]) => void;
  readonly #groups: RowGroups;
  readonly #fitted: unknown[];
  #columns: readonly Column[];
  #rows = 0;
  #held = 0;
  /** Rows that a checkpoint has. */
  #persisted = 0;
  /** A row group has rows that an earlier checkpoint has. */
  #afresh = true;
  /** Of the groups so far. */
  #state: Buffer | undefined;

  constructor(writing: Writing, out: FileOutput) {
    const { fields, codec } = writing;
    this.#writing = writing;
    this.#out = out;
    this.#fit = recordFit(fields);
    this.#groups = new RowGroups(fields, compressionOf(codec));
    this.#fitted = new Array<unknown>(fields.length);
    this.#columns = fields.map(columnOf);
  }

  get held(): number {
    return this.#held;
  }

  write(record: T): void {
    const fitted = this.#fitted;
    try {
      this.#fit(record, fitted);
    } catch (error) {
      throw error instanceof Misfit ? error.refusal : error;
    }
    let bytes = 0;
    for (let i = 0; i < fitted.length; i++) bytes += this.#columns[i]?.push(fitted[i]) ?? 0;
    this.#rows++;
    this.#held += bytes;
    const { groupBytes, groupRows } = this.#writing;
    if (this.#held >= groupBytes || this.#rows >= groupRows) this.flush();
  }

  persist(all: boolean): Persisted {
    const afresh = all || this.#afresh;
    const from = afresh ? 0 : this.#persisted;
    const { fields } = this.#writing;
    const added =
      from === this.#rows
        ? Buffer.alloc(0)
        : pack(
            fields,
            this.#columns.map((column) => column.from(from)),
            this.#rows - from,
          );
    this.#persisted = this.#rows;
    this.#afresh = false;
    const { codec } = compressionOf(this.#writing.codec);
    const { length, groups } = this.#groups;
    this.#state ??= encodeState({ fields, codec, length, groups });
    return { rows: { added, afresh, state: this.#state } };
  }

  flush(): void {
    if (this.#rows === 0) return;
    const columns = this.#columns.map((column) => ({ name: column.name, data: column.from(0) }));
    this.#out.write(this.#groups.write(columns, this.#rows));
    this.#columns = this.#writing.fields.map(columnOf);
    this.#rows = this.#held = this.#persisted = 0;
    this.#afresh = true;
    this.#state = undefined;
  }

  finish(): void {
    this.flush();
    this.#out.write(this.#groups.finish());
  }
}

/** How a restore completes files. The state has their schema: the one in the program may have changed. Errors: `FormatChanged`. */
export const parquetSeal: RowSeal = {
  name: 'parquet',
  seal(state, rows) {
    try {
      return sealed(state, rows);
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause;
      throw new MillraceError(
        'FormatChanged',
        'The checkpoint holds a Parquet file in a form that this version of millrace does not read. Start the job with the version that wrote it and stop it: that publishes the file.',
        { cause },
      );
    }
  },
};

function sealed(state: Uint8Array, rows: Uint8Array): Buffer {
  const file = decodeState(state);
  const { fields } = file;
  const columns = fields.map(columnOf);
  let count = 0;
  for (const { columns: packed, rows: more } of unpack(fields, rows)) {
    for (const [i, column] of columns.entries())
      for (let row = 0; row < more; row++) column.push(packed[i]?.[row]);
    count += more;
  }
  const groups = new RowGroups(fields, compressionOf(file.codec), file);
  const data = columns.map((column) => ({ name: column.name, data: column.from(0) }));
  const last = count === 0 ? [] : [groups.write(data, count)];
  return Buffer.concat([...last, groups.finish()]);
}
