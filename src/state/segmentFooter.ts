import { crc32 } from 'node:zlib';
import { isCount, isString, listOf, tuple } from '../shape.js';
import { sha256 } from '../store/helpers.js';
import { StateError } from './errors.js';
import {
  corrupt,
  header,
  headerLength,
  trailerLength,
  trailerMagic,
  version,
  type BlockInfo,
  type SegmentFooter,
} from './segmentFormat.js';
import { unpackForeign } from './serializer.js';

/** Bytes of the footer, by the trailer that ends `tail`. Errors: `SegmentCorrupt`. */
export function footerLength(object: string, tail: Buffer): number {
  const at = tail.length - trailerLength;
  if (at < headerLength || tail.toString('latin1', at + 12) !== trailerMagic)
    throw corrupt(object, 'it does not end as segments do');
  return tail.readUInt32LE(at + 4);
}

/** Reads the footer of a segment of `size` bytes that ends with `tail`. Errors: `SegmentCorrupt`, `SegmentTooNew`. */
export function decodeFooter(object: string, tail: Buffer, size: number): SegmentFooter {
  const length = footerLength(object, tail);
  const at = tail.length - trailerLength;
  const footer = tail.subarray(Math.max(at - length, 0), at);
  const crc = crc32(tail.subarray(at, at + 8), crc32(footer));
  if (footer.length !== length || crc !== tail.readUInt32LE(at + 8))
    throw corrupt(object, 'the checksum of its footer is wrong');
  const written = tail.readUInt32LE(at);
  if (written > version) {
    throw new StateError(
      'SegmentTooNew',
      `Segment ${object} has format version ${written}; this millrace reads up to ${version}. Run the version that wrote it, or a later one.`,
    );
  }
  const [maxParallelism, states, cleared, flat, sums] = unpacked(object, footer);
  const blocks: BlockInfo[] = [];
  let offset = headerLength;
  let entries = 0;
  for (let i = 0; i < flat.length; i += 5) {
    const [blockLength = 0, count = 0, firstGroup = 0, lastGroup = 0, blockCrc = 0] = flat.slice(i, i + 5);
    blocks.push({
      offset,
      length: blockLength,
      entries: count,
      firstGroup,
      lastGroup,
      crc: blockCrc,
      sha256: sums.subarray((i / 5) * 32, (i / 5) * 32 + 32),
    });
    offset += blockLength;
    entries += count;
  }
  if (offset + length + trailerLength !== size)
    throw corrupt(object, `it has ${size} bytes, which is not what its footer says`);
  return {
    schema: {
      maxParallelism,
      states: states.map(([name, kind, id, v, type]) => ({
        name,
        kind,
        serializer: { id, version: v },
        type,
      })),
    },
    entries,
    cleared,
    blocks,
    crc,
    sha256: sha256(tail.subarray(at - length, at + 8)),
  };
}

/** Checks the start of a segment. Errors: `SegmentCorrupt`. */
export function checkHeader(object: string, start: Buffer): void {
  if (Buffer.compare(start.subarray(0, headerLength), header) !== 0)
    throw corrupt(object, 'it does not begin as segments do');
}

/** Maximum parallelism; name, kind, serializer and its version, and perhaps type of each state; cleared entries; five numbers a block; their digests. */
type Footer = [number, [string, string, string, number, string?][], number, number[], Uint8Array];

const isTyped = tuple(isString, isString, isString, isCount, isString);
const isUntyped = tuple(isString, isString, isString, isCount);

const isFooter = tuple(
  isCount,
  listOf((value) => isTyped(value) || isUntyped(value)),
  isCount,
  (value) => listOf(isCount)(value) && (value as number[]).length % 5 === 0,
  (value) => value instanceof Uint8Array,
);

function unpacked(object: string, bytes: Buffer): Footer {
  let footer: unknown;
  try {
    footer = unpackForeign(bytes);
  } catch (cause) {
    throw corrupt(object, 'its footer cannot be decoded', cause);
  }
  if (!isFooter(footer) || (footer as Footer)[4].length * 5 !== (footer as Footer)[3].length * 32)
    throw corrupt(object, 'its footer is malformed');
  return footer as Footer;
}
