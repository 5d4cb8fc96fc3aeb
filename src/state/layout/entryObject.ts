import { crc32 } from 'node:zlib';
import { compress } from 'snappyjs';
import { isCount, isString, listOf, nullable, tuple } from '../../shape.js';
import type { CellContent } from '../cells.js';
import { StateError } from '../errors.js';
import { keyText } from '../values/refusals.js';
import { encodeKey, KeyReader, type StoredKey } from '../keys/keys.js';
import { Encoded, packr, unpackForeign } from '../values/serializer.js';
import { decompress } from '../../formats/snappyBlock.js';

/** What is needed to read the contents of an entry. */
export interface EntrySchema {
  readonly kind: string;
  readonly serializer: { readonly id: string; readonly version: number };
  readonly type?: string | undefined;
}

/** What a state holds for a key in a namespace. */
export interface LayoutEntry {
  readonly state: string;
  readonly schema: EntrySchema;
  readonly key: StoredKey;
  readonly namespace: Uint8Array;
  readonly cells: readonly { readonly subKey: Uint8Array; readonly content: CellContent }[];
}

/**
 * An entry as an object:
 *
 * ```
 * magic     8 bytes
 * codec     1 byte: 1 if what follows is compressed with Snappy
 * body      MessagePack: name, kind, serializer, its version and type of the state; key; namespace; sub-keys; contents
 * checksum  u32 CRC-32 of all before, little-endian
 * ```
 * Key and namespace are in their canonical encodings. As in segments, contents are values without tombstones and operands,
 * and binary ones are those that a serializer encoded. Errors: `UnsupportedValue`.
 */
export function encodeEntry(entry: LayoutEntry, compression: boolean): Buffer {
  const { kind, serializer, type = null } = entry.schema;
  const body = packr.pack([
    [entry.state, kind, serializer.id, serializer.version, type],
    encodeKey(entry.key),
    entry.namespace,
    entry.cells.map(({ subKey }) => subKey),
    entry.cells.map(({ content }) => (content instanceof Encoded ? content.bytes : content)),
  ]);
  if (body.length > largest) {
    throw new StateError(
      'UnsupportedValue',
      `State ${entry.state} cannot be exported: it holds ${body.length} bytes for key ${keyText(entry.key)}, and an exported object has at most ${largest}. Take a savepoint instead, which has no such limit.`,
    );
  }
  const small = compression ? compress(body) : body;
  const packed = small.length < body.length ? small : body;
  const bytes = Buffer.concat([magic, Buffer.of(packed === body ? 0 : 1), packed, Buffer.alloc(checksum)]);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -checksum)), bytes.length - checksum);
  return bytes;
}

/** Errors: `EntryCorrupt`. */
export function decodeEntry(object: string, bytes: Buffer): LayoutEntry {
  const end = bytes.length - checksum;
  if (end <= magic.length || !bytes.subarray(0, magic.length).equals(magic))
    throw corrupt(object, 'it does not begin as entries do');
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end))
    throw corrupt(object, 'its checksum is wrong');
  try {
    const packed = bytes.subarray(magic.length + 1, end);
    const body = unpackForeign(bytes[magic.length] === 1 ? decompress(packed, largest) : packed);
    if (!isBody(body)) throw new RangeError('its parts are malformed');
    const [[state, kind, id, version, type], key, namespace, subKeys, contents] = body as Body;
    if (subKeys.length !== contents.length) throw new RangeError('contents are missing');
    return {
      state,
      schema: { kind, serializer: { id, version }, ...(type === null ? {} : { type }) },
      key: new KeyReader(key).key(),
      namespace,
      cells: subKeys.map((subKey, i) => {
        const content = contents[i];
        return { subKey, content: content instanceof Uint8Array ? new Encoded(content) : content };
      }),
    };
  } catch (cause) {
    throw corrupt(object, 'it cannot be decoded', cause);
  }
}

/** Bytes of an entry before compression. */
export const largest = 2 ** 30;
const checksum = 4;
const magic = Buffer.from('MILLENT\x01', 'latin1');

type Body = [
  state: [name: string, kind: string, serializer: string, version: number, type: string | null],
  key: Uint8Array,
  namespace: Uint8Array,
  subKeys: Uint8Array[],
  contents: unknown[],
];

const isBinary = (value: unknown): boolean => value instanceof Uint8Array;
const isBody = tuple(
  tuple(isString, isString, isString, isCount, nullable(isString)),
  isBinary,
  isBinary,
  listOf(isBinary),
  Array.isArray,
);

export function corrupt(object: string, what: string, cause?: unknown): StateError {
  return new StateError(
    'EntryCorrupt',
    `The exported object ${object} is corrupt: ${what}. Export the state again, to an empty folder.`,
    cause === undefined ? {} : { cause },
  );
}
