/**
 * Small formats of every way to be restored, and the readers of their files: rows, an array that must be closed, columns in
 * groups with a footer, one that can only be finished, and gzip around any of them.
 */
import { gunzipSync } from 'node:zlib';
import Papa from 'papaparse';
import { avro } from '#src/formats/avro/index.js';
import { compressorNamed } from '#src/formats/codec.js';
import { compressed } from '#src/formats/compressed.js';
import {
  writerOf,
  type FileEncoder,
  type FileOutput,
  type Persisted,
  type RowWriter,
  type Writer,
} from '#src/formats/writer.js';
import { parquetRows } from './parquetRows.js';

export const rows: RowWriter<unknown> = {
  extension: '.rows',
  encode: (record) => `${JSON.stringify(record)}\n`,
};

/** One JSON array. */
export function array(): Writer<unknown> {
  return {
    extension: '.json',
    restore: 'closing',
    open(out) {
      let next = '[';
      return {
        held: 0,
        write: (record) => {
          out.write(`${next}${JSON.stringify(record)}`);
          next = ',';
        },
        persist: () => ({ closing: Buffer.from(']') }),
        finish: () => {
          out.write(']');
        },
      };
    },
  };
}

interface Group {
  readonly offset: number;
  readonly length: number;
  readonly count: number;
}

const columnNames = (rows: readonly object[]): string[] => [
  ...new Set(rows.flatMap((row) => Object.keys(row))),
];

const groupOf = (rows: readonly Record<string, unknown>[]): Buffer =>
  Buffer.from(
    JSON.stringify(Object.fromEntries(columnNames(rows).map((name) => [name, rows.map((row) => row[name])]))),
  );

function footerOf(groups: readonly Group[]): Buffer {
  const json = JSON.stringify(groups);
  return Buffer.from(json + String(json.length).padStart(8, '0'));
}

/** The rest of a file with these groups, and rows for one more. */
function restOfColumns(groups: readonly Group[], rows: readonly Record<string, unknown>[]): Buffer {
  if (rows.length === 0) return footerOf(groups);
  const last = groups.at(-1);
  const group = groupOf(rows);
  const offset = last === undefined ? 0 : last.offset + last.length;
  return Buffer.concat([group, footerOf([...groups, { offset, length: group.length, count: rows.length }])]);
}

const parseLines = (bytes: Uint8Array): Record<string, unknown>[] =>
  Buffer.from(bytes)
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Groups of columns, and a footer with their places and counts. `size`: rows of a group. */
export function columns(size: number): Writer<Record<string, unknown>> {
  return {
    extension: '.columns',
    restore: {
      name: 'columns',
      seal: (state, rows) =>
        restOfColumns(JSON.parse(Buffer.from(state).toString()) as Group[], parseLines(rows)),
    },
    open: (out) => new ColumnEncoder(out, size),
  };
}

class ColumnEncoder implements FileEncoder<Record<string, unknown>> {
  held = 0;
  readonly #groups: Group[] = [];
  #rows: Record<string, unknown>[] = [];
  /** Rows that a checkpoint has. */
  #persisted = 0;
  #afresh = true;

  constructor(
    private readonly out: FileOutput,
    private readonly size: number,
  ) {}

  write(record: Record<string, unknown>): void {
    this.#rows.push({ ...record });
    this.held += JSON.stringify(record).length;
    if (this.#rows.length >= this.size) this.flush();
  }

  flush(): void {
    if (this.#rows.length === 0) return;
    const last = this.#groups.at(-1);
    const group = groupOf(this.#rows);
    this.#groups.push({
      offset: last === undefined ? 0 : last.offset + last.length,
      length: group.length,
      count: this.#rows.length,
    });
    this.out.write(group);
    this.#rows = [];
    this.held = this.#persisted = 0;
    this.#afresh = true;
  }

  persist(all: boolean): Persisted {
    const afresh = all || this.#afresh;
    const added = this.#rows.slice(afresh ? 0 : this.#persisted).map((row) => `${JSON.stringify(row)}\n`);
    this.#persisted = this.#rows.length;
    this.#afresh = false;
    const state = Buffer.from(JSON.stringify(this.#groups));
    return { rows: { added: Buffer.from(added.join('')), afresh, state } };
  }

  finish(): void {
    this.out.write(restOfColumns(this.#groups, this.#rows));
  }
}

/** A format that can do nothing at a checkpoint: its length is its last word. */
export function whole(): Writer<unknown> {
  return {
    extension: '.whole',
    restore: 'whole',
    open(out) {
      let length = 0;
      return {
        held: 0,
        write: (record) => {
          const line = rows.encode(record);
          length += line.length;
          out.write(line);
        },
        finish: () => {
          out.write(String(length).padStart(8, '0'));
        },
      };
    },
  };
}

/** Gzip members of half a KiB. */
export function gzipped<T>(inner: Writer<T> | RowWriter<T>): Writer<T> {
  return compressed(writerOf(inner), compressorNamed('gzip')!, 512);
}

/** Rows below a header. */
function rowsOf(key: string, content: string): unknown[] {
  const { data, errors } = Papa.parse(content, { header: true, dynamicTyping: true, skipEmptyLines: true });
  if (errors.length > 0 || !content.endsWith('\n')) throw new Error(`${key} is not whole`);
  return data;
}

function blocksOf(key: string, content: Buffer): unknown[] {
  const records: object[] = [];
  const decoder = avro<object>().decoder({ object: key, offset: 0, state: undefined });
  decoder.decode(
    content,
    0,
    1,
    (record) => records.push({ ...record }),
    ({ reason }) => {
      throw new Error(`${key} is not whole: ${reason}`);
    },
  );
  return records;
}

/** The records of a file, by its name. Throws if it is not whole. */
export function recordsOf(key: string, bytes: Buffer): unknown[] {
  if (key.endsWith('.gz')) return recordsOf(key.slice(0, -3), gunzipSync(bytes));
  if (key.endsWith('.parquet')) return parquetRows(bytes);
  if (key.endsWith('.json')) return JSON.parse(bytes.toString()) as unknown[];
  if (key.endsWith('.whole')) {
    const body = bytes.subarray(0, -8);
    if (Number(bytes.subarray(-8).toString()) !== body.length) throw new Error(`${key} is not whole`);
    return parseLines(body);
  }
  if (key.endsWith('.csv')) return rowsOf(key, bytes.toString());
  if (key.endsWith('.avro')) return blocksOf(key, bytes);
  if (!key.endsWith('.columns')) {
    if (!bytes.toString().endsWith('\n')) throw new Error(`${key} is not whole`);
    return parseLines(bytes);
  }
  const end = bytes.length - 8;
  const footer = end - Number(bytes.subarray(end).toString());
  const groups = JSON.parse(bytes.subarray(footer, end).toString()) as Group[];
  let at = 0;
  const found = groups.flatMap(({ offset, length, count }) => {
    if (offset !== at) throw new Error(`${key}: a group lies at ${at}, not at ${offset}`);
    at += length;
    const group = JSON.parse(bytes.subarray(offset, at).toString()) as Record<string, unknown[]>;
    return Array.from({ length: count }, (_, i) =>
      Object.fromEntries(Object.entries(group).map(([name, values]) => [name, values[i]])),
    );
  });
  if (at !== footer) throw new Error(`${key}: its groups end at ${at}, its footer begins at ${footer}`);
  return found;
}
