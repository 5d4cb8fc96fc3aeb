import { runInNewContext } from 'node:vm';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { decodeBlock } from '../../src/state/block.js';
import { valueState } from '../../src/state/index.js';
import { hashOf, keyGroupOf } from '../../src/state/keyGroups.js';
import { noPath } from '../../src/state/cells.js';
import { SegmentEncoder } from '../../src/state/segmentEncoder.js';
import { headerLength, trailerLength, type BlockInfo } from '../../src/state/segmentFormat.js';
import type { SegmentRef } from '../../src/state/segmentObject.js';
import { Encoded, messagePack, unpackForeign } from '../../src/state/serializer.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { valueArbitrary } from './arbitraries.js';
import { Bench, blockInfo, coded } from './harness.js';

/** Bytes that a state is not made of, and that msgpackr takes for ever to decode, or a lot of memory, or makes something dangerous of. */
const evil: readonly (readonly [string, Buffer])[] = [
  ['a tree of shared references, with a byte after it', Buffer.concat([sharedReferences(40), Buffer.of(0)])],
  ['a tree of shared references', sharedReferences(40)],
  ['a tree of shared references in a set', Buffer.concat([Buffer.of(0xd4, 0x73, 0), sharedReferences(40)])],
  ['an array of 4,294,967,295 elements', Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff, 1)],
  ['a map of as many', Buffer.of(0xdf, 0xff, 0xff, 0xff, 0xff, 1, 1)],
  ['arrays of 60,000 elements in each other', Buffer.alloc(60_000 * 3, Buffer.of(0xdc, 0xea, 0x60))],
  ['a string longer than the bytes', Buffer.of(0xdb, 0xff, 0xff, 0xff, 0xff, 97)],
  ['binary data longer than the bytes', Buffer.of(0xc6, 0x7f, 0xff, 0xff, 0xff, 97)],
  ['an extension longer than the bytes', Buffer.of(0xc9, 0x7f, 0xff, 0xff, 0xff, 0x42, 97)],
  ['a record of 4,294,967,295 fields', Buffer.of(0xd4, 0x72, 0x40, 0xdd, 0xff, 0xff, 0xff, 0xff)],
  ['100,000 levels of arrays', Buffer.concat([Buffer.alloc(100_000, 0x91), Buffer.of(1)])],
  ['100,000 levels of maps', Buffer.concat([Buffer.alloc(200_000, Buffer.of(0x81, 1)), Buffer.of(1)])],
  [
    '100,000 levels of sets',
    Buffer.concat([Buffer.alloc(300_000, Buffer.of(0xd4, 0x73, 0)), Buffer.of(0x90)]),
  ],
  ['strings that are read again and again', Buffer.of(0xd6, 0x62, 0xff, 0xff, 0xff, 0xfa, 0xa0, 0xa0)],
  ['an error', Buffer.from(messagePack.encode(new Error('x')))],
  ['a regular expression', Buffer.from(messagePack.encode(/(a+)+$/))],
  ['a record that is not defined', Buffer.of(0x41)],
  ['a set of a number', Buffer.of(0xd4, 0x73, 0, 5)],
  ['a number that is none', Buffer.concat([Buffer.of(0xd4, 0x4a, 0), Buffer.from(messagePack.encode('x'))])],
  ['a mark of no kind', Buffer.of(0xd4, 0x4d, 0, 0x92, 9, 9)],
  ['a mark whose names are no strings', Buffer.of(0xd4, 0x4d, 0, 0x92, 2, 0x93, 0xc2, 0x91, 1, 0x91, 1)],
  ['a mark with more names than values', Buffer.of(0xd4, 0x4d, 0, 0x92, 2, 0x93, 0xc2, 0x91, 0xa1, 97, 0x90)],
  ['a reserved byte', Buffer.of(0xc1)],
  ['nothing', Buffer.alloc(0)],
];

/** `[[…[x, x]…], the same]`: 2 to the power of `levels` elements in a few bytes. */
function sharedReferences(levels: number): Buffer {
  const id = (n: number): Buffer => Buffer.of(0xd6, 0x69, 0, 0, 0, n);
  const pointer = (n: number): Buffer => Buffer.of(0xd6, 0x70, 0, 0, 0, n);
  let bytes: Buffer = Buffer.of(1);
  for (let n = 1; n <= levels; n++) bytes = Buffer.concat([Buffer.of(0x92), id(n), bytes, pointer(n)]);
  return bytes;
}

/** What is thrown; a watchdog ends what takes for ever, however busy. */
function thrownBy(work: () => unknown): unknown {
  const guarded = (): unknown => {
    try {
      return { returned: work() };
    } catch (error) {
      return error;
    }
  };
  return runInNewContext('guarded()', { guarded }, { timeout: 20_000 });
}

/** A block with one key and these values. */
function blockOf(values: Buffer): { bytes: Buffer; info: BlockInfo } {
  const bytes = Buffer.concat([Buffer.of(0, 1, 0, 0, 0, 3, 0, 0, 0, 4), Buffer.of(5, 1, 120), values]);
  return { bytes, info: blockInfo(bytes) };
}

/** Restores a segment that holds `content` for the key `k` of state `v`. */
function restoreOf(content: unknown, change: (segment: Buffer) => Buffer = (segment) => segment): Bench {
  const store = createMemoryStore();
  const specs = { v: valueState<unknown>(null) };
  const serializer = { id: 'msgpackr', version: 1 };
  const encoder = new SegmentEncoder({
    maxParallelism: 128,
    states: [{ name: 'v', kind: 'value', serializer }],
  });
  const hash = hashOf('k');
  encoder.add(keyGroupOf(hash, 128), hash, 'k', 0, noPath, content);
  const bytes = change(Buffer.concat([encoder.flush(), encoder.finish()]));
  store.put('checkpoints/job/data/x', bytes).subscribe();
  const crc = bytes.readUInt32LE(bytes.length - 8);
  const runs: SegmentRef[][] = [[{ object: 'data/x', bytes: bytes.length, cells: 1, crc }]];
  return new Bench(store, specs).restore({
    kind: 'keyed-state',
    version: 2,
    maxParallelism: 128,
    runs,
  } as never);
}

describe('bytes of others in a segment are found corrupt at once, checksums or not', () => {
  test.each(evil)('as the values of a block: %s', (_, values) => {
    const { bytes, info } = blockOf(values);
    expect(thrownBy(() => decodeBlock('object', info, bytes))).toMatchObject({ code: 'SegmentCorrupt' });
    const inArray = blockOf(Buffer.concat([Buffer.of(0x91), values]));
    expect(thrownBy(() => decodeBlock('object', inArray.info, inArray.bytes))).toMatchObject({
      code: 'SegmentCorrupt',
    });
  });

  test.each(evil)('as a value that was encoded: %s', (_, bytes) => {
    expect(thrownBy(() => restoreOf(new Encoded(bytes)))).toMatchObject({
      code: 'SegmentCorrupt',
      message: expect.stringContaining('data/x') as string,
    });
  });

  test.each(evil)('as the footer: %s', (_, footer) => {
    const withFooter = (segment: Buffer): Buffer => {
      const at = segment.length - trailerLength;
      const blocks = segment.subarray(0, at - segment.readUInt32LE(at + 4));
      const trailer = Buffer.from(segment.subarray(at));
      trailer.writeUInt32LE(footer.length, 4);
      trailer.writeUInt32LE(crc32(trailer.subarray(0, 8), crc32(footer)), 8);
      return Buffer.concat([blocks, footer, trailer]);
    };
    expect(thrownBy(() => restoreOf(1, withFooter))).toMatchObject({ code: 'SegmentCorrupt' });
  });

  test('more entries than a block has bytes, or values', () => {
    const many = Buffer.concat([Buffer.of(0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), Buffer.of(0x90)]);
    const info = { offset: headerLength, cells: 1, firstGroup: 0, lastGroup: 0 };
    const decode = (bytes: Buffer) => () =>
      decodeBlock('object', { ...info, length: bytes.length, crc: crc32(bytes) }, bytes);
    expect(thrownBy(decode(many))).toMatchObject({ code: 'SegmentCorrupt' });
    expect(thrownBy(decode(blockOf(Buffer.of(0x90)).bytes))).toMatchObject({ code: 'SegmentCorrupt' });
  });

  test('any bytes at all decode, or are found corrupt', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const { bytes: block, info } = blockOf(Buffer.from(bytes));
        const result = thrownBy(() => decodeBlock('object', info, block));
        expect(result).toMatchObject(
          result instanceof Error ? { code: 'SegmentCorrupt' } : { returned: { count: 1 } },
        );
      }),
      { numRuns: 2000 },
    );
  });
});

test('whatever state writes passes, and comes back', () => {
  expect(restoreOf(7).with('k', 'v', (v) => v.value)).toBe(7);
  fc.assert(
    fc.property(valueArbitrary, (value) => {
      const bytes = messagePack.encode(value);
      expect(Buffer.compare(messagePack.encode(unpackForeign(bytes)), bytes)).toBe(0);
    }),
    { numRuns: 500 },
  );
  const { bytes, info } = blockOf(
    Buffer.from(messagePack.encode([Array.from({ length: 200 }, (_, i) => ({ [`n${i}`]: i, x: {} }))])),
  );
  expect(() => decodeBlock('object', info, bytes)).not.toThrow();
  expect(() => restoreOf(new Encoded(Buffer.of(0xc1)))).toThrow(coded('SegmentCorrupt'));
});
