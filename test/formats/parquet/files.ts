import { parquet, types } from '../../../src/formats/parquet/index.js';
import type { FileEncoder, Writer } from '../../../src/formats/writer.js';

/** Collects what is written to a file. */
export class Collected {
  readonly #chunks: Buffer[] = [];

  write(chunk: string | Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk as Uint8Array));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** A file with these records. */
export function fileOf<T>(format: Writer<T>, records: readonly T[]): Buffer {
  const out = new Collected();
  const encoder = format.open(out);
  for (const record of records) encoder.write(record);
  encoder.finish();
  return out.bytes;
}

/** What a checkpoint has of a file: its bytes, and what it keeps of the encoder. */
export class Checkpointed {
  bytes: Buffer = Buffer.alloc(0);
  state: Uint8Array = Buffer.alloc(0);
  rows: Buffer = Buffer.alloc(0);

  take(out: Collected, encoder: FileEncoder<never>, all = false): void {
    const { rows } = encoder.persist?.(all) ?? {};
    if (rows === undefined) throw new Error('a format that persists no rows');
    this.bytes = out.bytes;
    this.state = rows.state;
    this.rows = Buffer.concat(rows.afresh ? [rows.added] : [this.rows, rows.added]);
  }

  /** The file that a restore makes of it. */
  sealed({ restore }: Writer<never>): Buffer {
    if (typeof restore === 'string') throw new Error('a format without a seal');
    return Buffer.concat([this.bytes, restore.seal(this.state, this.rows)]);
  }
}

/** Every type, alone and in each other, required and optional. */
export const everyType = {
  id: types.int64,
  text: types.string,
  small: types.int32,
  yes: types.boolean,
  single: types.float,
  double: types.double,
  raw: types.bytes,
  day: types.date,
  millis: types.timestamp('millis'),
  micros: types.timestamp(),
  nanos: types.timestamp('nanos'),
  price: types.decimal(9, 2),
  sum: types.decimal(18, 4),
  exact: types.decimal(38, 10),
  doc: types.json,
  key: types.uuid,
  maybe: types.optional(types.double),
  list: types.list(types.optional(types.int64)),
  lists: types.optional(types.list(types.list(types.string))),
  map: types.map(types.optional(types.double)),
  struct: types.optional(
    types.struct({
      a: types.int32,
      b: types.optional(types.list(types.struct({ c: types.optional(types.string), d: types.bytes }))),
    }),
  ),
} as const;

export const everything = parquet({ schema: everyType });
