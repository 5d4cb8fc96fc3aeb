/**
 * The layout of containers, Avro 1.12 "Object Container Files": a header, and then blocks.
 *
 *   header: `Obj` 1, a map of metadata (the schema, the codec), a sync marker of 16 random bytes
 *   block: the number of records, the length of the data, the data, the sync marker
 *
 * Numbers are zigzag varints. Here, they are read from bytes that may end in the middle.
 */
import { readPrefix } from '../frames.js';
import { longBytes } from './long.js';

export const syncBytes = 16;
const magic = Buffer.from([0x4f, 0x62, 0x6a, 1]);
const mostEntries = 10_000;
/** The maximum size of a header. Bytes. */
export const mostHeader = 16 * 1024 * 1024;

export interface Header {
  /** JSON. */
  readonly schema: string;
  readonly codec: string;
  readonly sync: Buffer;
}

/** What starts at an offset, the end of the bytes that are needed to know more, or a string if it is damaged. */
type Found<T> = T | number | string;

const varint = { bytes: 'varint', endian: 'little' } as const;

/** A number. It is Infinity if it exceeds what a double has. */
function longAt(bytes: Buffer, from: number, to: number): Found<{ value: number; at: number }> {
  const found = readPrefix(varint, bytes, from, to);
  if (found === undefined) return to + 1;
  const { length, at } = found;
  return { value: length % 2 === 1 ? -(length + 1) / 2 : length / 2, at };
}

/** Finds the header, and the offset after it, in bytes from the start of an object. */
export function headerAt(bytes: Buffer, from: number, to: number): Found<{ header: Header; end: number }> {
  const seen = Math.min(magic.length, to - from);
  if (bytes.compare(magic, 0, seen, from, from + seen) !== 0) return 'it does not start with Obj and 1';
  if (seen < magic.length) return from + magic.length;
  const metadata = new Map<string, Buffer>();
  let at = from + magic.length;
  for (let left = -1; left !== 0;) {
    const count = longAt(bytes, at, to);
    if (typeof count !== 'object') return count;
    at = count.at;
    left = Math.abs(count.value);
    if (left + metadata.size > mostEntries) return 'its metadata has too many entries';
    if (count.value < 0) {
      const size = longAt(bytes, at, to);
      if (typeof size !== 'object') return size;
      at = size.at;
    }
    for (let i = 0; i < left; i++) {
      const key = sizedAt(bytes, at, to);
      if (typeof key !== 'object') return key;
      const value = sizedAt(bytes, key.end, to);
      if (typeof value !== 'object') return value;
      metadata.set(key.content.toString(), value.content);
      at = value.end;
    }
  }
  const end = at + syncBytes;
  if (end > to) return end;
  const schema = metadata.get('avro.schema')?.toString();
  if (schema === undefined) return 'its header has no schema';
  const codec = metadata.get('avro.codec')?.toString() ?? 'null';
  return { header: { schema, codec, sync: Buffer.from(bytes.subarray(at, end)) }, end };
}

/** Bytes after their length. */
function sizedAt(bytes: Buffer, from: number, to: number): Found<{ content: Buffer; end: number }> {
  const length = longAt(bytes, from, to);
  if (typeof length !== 'object') return length;
  const { value, at } = length;
  if (!(value >= 0 && value <= mostHeader)) return 'its metadata is longer than 16 MiB';
  return at + value > to ? at + value : { content: bytes.subarray(at, at + value), end: at + value };
}

export function headerOf({ schema, codec, sync }: Header): Buffer {
  const sized = (content: Buffer): Buffer => Buffer.concat([longBytes(content.length), content]);
  const entries = Object.entries({ 'avro.schema': schema, 'avro.codec': codec });
  return Buffer.concat([
    magic,
    longBytes(entries.length),
    ...entries.flatMap(([key, value]) => [sized(Buffer.from(key)), sized(Buffer.from(value))]),
    longBytes(0),
    sync,
  ]);
}

/** The beginning of a block: the number of its records, and where its data are. */
export interface BlockStart {
  readonly count: number;
  readonly from: number;
  readonly to: number;
}

/** @param most the maximum length of the data. Bytes */
export function blockAt(bytes: Buffer, from: number, to: number, most: number): Found<BlockStart> {
  const count = longAt(bytes, from, to);
  if (typeof count !== 'object') return count;
  if (!(count.value >= 0 && Number.isFinite(count.value)))
    return 'a block with an impossible number of records';
  const size = longAt(bytes, count.at, to);
  if (typeof size !== 'object') return size;
  if (!(size.value >= 0 && size.value <= most)) return 'a block of impossible length';
  return { count: count.value, from: size.at, to: size.at + size.value };
}

export const blockOf = (count: number, data: Uint8Array, sync: Buffer): Buffer =>
  Buffer.concat([longBytes(count), longBytes(data.length), data, sync]);
