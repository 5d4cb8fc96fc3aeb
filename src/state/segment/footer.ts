import { crc32 } from 'node:zlib';
import { isCount, isString, listOf, tuple } from '../../shape.js';
import { sha256 } from '../../store/helpers.js';
import { StateError } from '../errors.js';
import {
  corrupt,
  header,
  headerLength,
  limits,
  maxStates,
  trailerLength,
  trailerMagic,
  version,
  type SegmentFooter,
} from './format.js';
import { unpackForeign } from '../values/serializer.js';

/** The length of the footer, from the trailer at the end of `tail`. Errors: `SegmentCorrupt`. */
export function footerLength(object: string, tail: Buffer): number {
  const at = tail.length - trailerLength;
  if (at < headerLength || tail.toString('latin1', at + 12) !== trailerMagic)
    throw corrupt(object, 'it does not end as segments do');
  const length = tail.readUInt32LE(at + 4);
  if (length > limits.footer) throw corrupt(object, `its footer has more than ${limits.footer} bytes`);
  return length;
}

/** Reads the footer of a segment of `size` bytes that ends with `tail`. Errors: `SegmentCorrupt`, `SegmentTooNew`. */
export function decodeFooter(object: string, tail: Buffer, size: number): SegmentFooter {
  const length = footerLength(object, tail);
  const at = tail.length - trailerLength;
  const bytes = tail.subarray(Math.max(at - length, 0), at);
  const crc = crc32(tail.subarray(at, at + 8), crc32(bytes));
  if (bytes.length !== length || crc !== tail.readUInt32LE(at + 8))
    throw corrupt(object, 'the checksum of its footer is wrong');
  const written = tail.readUInt32LE(at);
  if (written > version) {
    throw new StateError(
      'SegmentTooNew',
      `Segment ${object} has format version ${written}; this millrace reads version ${version}. Run the version that wrote it, or a later one.`,
    );
  }
  if (written < version) throw corrupt(object, `it has format version ${written}, which no release wrote`);
  const footer = unpacked(object, 'footer', bytes);
  if (!isFooter(footer)) throw corrupt(object, 'its footer is malformed');
  const [maxParallelism, states, cellsOf, tombstones, rootLength, rootDigest] = footer as Footer;
  if (cellsOf.length !== states.length) throw corrupt(object, 'its footer is malformed');
  const offset = size - trailerLength - length - rootLength;
  if (offset < headerLength) throw corrupt(object, `it has ${size} bytes, which is not what its footer says`);
  return {
    schema: {
      maxParallelism,
      states: states.map(([id, kind, serializer, v, type]) => ({
        id,
        kind,
        serializer: { id: serializer, version: v },
        type,
      })),
    },
    cellsOf,
    tombstones,
    root: { offset, length: rootLength, sha256: rootDigest },
    crc,
    sha256: sha256(tail.subarray(at - length, at + 8)),
  };
}

/** Checks the start of a segment. Errors: `SegmentCorrupt`. */
export function checkHeader(object: string, start: Buffer): void {
  if (Buffer.compare(start.subarray(0, headerLength), header) !== 0)
    throw corrupt(object, 'it does not begin as segments do');
}

/**
 * Maximum parallelism; id, kind, serializer, its version and optionally type of each state; cells of each state;
 * tombstones; length and digest of the root of the index.
 */
type Footer = [number, [string, string, string, number, string?][], number[], number, number, Uint8Array];

const isTyped = tuple(isString, isString, isString, isCount, isString);
const isUntyped = tuple(isString, isString, isString, isCount);
const isUpTo =
  (most: number) =>
  (value: unknown): boolean =>
    isCount(value) && value <= most;

const isFooter = tuple(
  isCount,
  (value) =>
    listOf((state) => isTyped(state) || isUntyped(state))(value) && (value as unknown[]).length <= maxStates,
  listOf(isUpTo(limits.cells)),
  isUpTo(limits.cells),
  isUpTo(limits.index),
  (value) => value instanceof Uint8Array && value.length === 32,
);

/** Errors: `SegmentCorrupt`. */
export function unpacked(object: string, what: string, bytes: Buffer): unknown {
  try {
    return unpackForeign(bytes);
  } catch (cause) {
    throw corrupt(object, `its ${what} cannot be decoded`, cause);
  }
}
