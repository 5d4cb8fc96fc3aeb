import { runInNewContext } from 'node:vm';
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { decodeBlock } from '../../../src/state/segment/block.js';
import { valueState } from '../../../src/state/index.js';
import { hashOf, keyGroupOf } from '../../../src/state/keys/keyGroups.js';
import { noPath } from '../../../src/state/cells.js';
import { SegmentEncoder } from '../../../src/state/segment/encoder.js';
import { decodeFooter } from '../../../src/state/segment/footer.js';
import { decodePage, decodeRoot } from '../../../src/state/segment/blockIndex.js';
import { headerLength, limits, trailerLength, type BlockInfo } from '../../../src/state/segment/format.js';
import { Encoded, messagePack, unpackForeign } from '../../../src/state/values/serializer.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { valueArbitrary } from '../arbitraries.js';
import { Bench, blockInfo, coded, snapshotOf } from '../harness.js';
import { effort } from '../../support/effort.js';

/**
 * Bytes that state never contains, and for which msgpackr takes very long or much memory, or returns something
 * dangerous.
 */
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

/** The error thrown; a watchdog ends endless work. */
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
    states: [{ id: 'v', kind: 'value', serializer }],
  });
  const hash = hashOf('k');
  encoder.add(keyGroupOf(hash, 128), hash, 'k', 0, noPath, content);
  const bytes = change(Buffer.concat([encoder.flush(), encoder.finish()]));
  store.put('checkpoints/job/data/x', bytes).subscribe();
  const crc = bytes.readUInt32LE(bytes.length - 8);
  const ref = { object: 'data/x', bytes: bytes.length, cells: 1, crc };
  return new Bench(store, specs).restore(snapshotOf(['v'], [ref]));
}

describe('foreign bytes in a segment are immediately detected as corrupt, even with valid checksums', () => {
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

  test('any bytes decode, or are detected as corrupt', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const { bytes: block, info } = blockOf(Buffer.from(bytes));
        const result = thrownBy(() => decodeBlock('object', info, block));
        expect(result).toMatchObject(
          result instanceof Error ? { code: 'SegmentCorrupt' } : { returned: { count: 1 } },
        );
      }),
      { numRuns: effort(200, 2000) },
    );
  });
});

describe('a size beyond the limits is rejected before it is allocated or read', () => {
  const refused = (work: () => unknown, what: string): void => {
    expect(thrownBy(work)).toMatchObject({
      code: 'SegmentCorrupt',
      message: expect.stringContaining(what) as string,
    });
  };
  const whole = (): Buffer => {
    const states = [{ id: 'v', kind: 'value', serializer: { id: 'msgpackr', version: 1 } }];
    const encoder = new SegmentEncoder({ maxParallelism: 128, states });
    encoder.add(0, 0, 'k', 0, noPath, 1);
    return Buffer.concat([encoder.flush(), encoder.finish()]);
  };
  /** A footer of these parts with a valid checksum, after a header. */
  const footerOf = (change: (footer: unknown[]) => void): { object: Buffer; size: number } => {
    const bytes = whole();
    const at = bytes.length - trailerLength;
    const footer = unpackForeign(bytes.subarray(at - bytes.readUInt32LE(at + 4), at)) as unknown[];
    change(footer);
    const packed = Buffer.from(messagePack.encode(footer));
    const trailer = Buffer.from(bytes.subarray(at));
    trailer.writeUInt32LE(packed.length, 4);
    trailer.writeUInt32LE(crc32(trailer.subarray(0, 8), crc32(packed)), 8);
    const object = Buffer.concat([bytes.subarray(0, headerLength), packed, trailer]);
    return { object, size: 2 ** 40 };
  };
  const decode = (change: (footer: unknown[]) => void) => () => {
    const { object, size } = footerOf(change);
    return decodeFooter('object', object, size);
  };
  const sealed = (parts: unknown): { bytes: Buffer; length: number; sha256: Buffer } => {
    const bytes = Buffer.from(messagePack.encode(parts));
    return { bytes, length: bytes.length, sha256: hash('sha256', bytes, 'buffer') };
  };
  type Root = [number[], Uint8Array[], Buffer];
  /** The root of a segment's index, changed, with the digest that its footer would have. */
  const root = (change: (root: Root) => void) => () => {
    const segment = whole();
    const footer = decodeFooter('object', segment, segment.length);
    const { offset, length } = footer.root;
    const parts = unpackForeign(segment.subarray(offset, offset + length)) as Root;
    change(parts);
    const { bytes, ...of } = sealed(parts);
    return decodeRoot('object', { ...footer, root: { offset, ...of } }, bytes);
  };
  /** A page of it, changed, with the digest that its root would have. */
  const page = (change: (page: [...Root, Buffer]) => void) => () => {
    const segment = whole();
    const info = root(() => undefined)().pages[0]!;
    const parts = unpackForeign(segment.subarray(info.offset, info.offset + info.length)) as never;
    change(parts);
    const { bytes, ...of } = sealed(parts);
    return decodePage('object', { ...info, ...of }, bytes);
  };

  test('of a footer', () => {
    const bytes = whole();
    bytes.writeUInt32LE(limits.footer + 1, bytes.length - 12);
    refused(() => decodeFooter('object', bytes, bytes.length), 'its footer has more than');
  });

  test('of an index, or counts of cells', () => {
    expect(decode(() => undefined)).not.toThrow();
    refused(
      decode((footer) => (footer[4] = limits.index + 1)),
      'its footer is malformed',
    );
    refused(
      decode((footer) => (footer[2] = [limits.cells + 1])),
      'its footer is malformed',
    );
    refused(
      decode((footer) => (footer[3] = limits.cells + 1)),
      'its footer is malformed',
    );
  });

  test('of a root: pages, their blocks, and bytes', () => {
    expect(root(() => undefined)).not.toThrow();
    refused(
      root(([numbers]) => (numbers[0] = limits.index)),
      'its index is malformed',
    );
    refused(
      root(([numbers]) => (numbers[1] = limits.blocks + 1)),
      'its index is malformed',
    );
    for (const at of [0, 2, 3])
      refused(
        root(([numbers]) => (numbers[at]! += 1)),
        'its blocks do not end where its index says',
      );
  });

  test('of a block, its cells, and their number', () => {
    expect(page(() => undefined)).not.toThrow();
    refused(
      page(([numbers]) => (numbers[0] = limits.block + 2)),
      'is larger than blocks are',
    );
    refused(
      page(([numbers]) => (numbers[1] = limits.cellsInBlock + 1)),
      'is larger than blocks are',
    );
    for (const change of [
      (parts: Root) => (parts[0] = [...parts[0], 1]),
      (parts: Root) => (parts[1] = []),
      (parts: Root) => (parts[2] = Buffer.alloc(0)),
    ]) {
      refused(page(change as never), 'its index is malformed');
      refused(root(change), 'its index is malformed');
    }
    refused(
      page((parts) => (parts[3] = Buffer.alloc(0))),
      'its index is malformed',
    );
    const cells = limits.cellsInBlock + 1;
    const many = Buffer.alloc(9 + 2 * cells);
    many.writeUInt32LE(cells, 1);
    refused(() => decodeBlock('object', blockInfo(many), many), 'cannot be decoded');
    expect((thrownBy(() => decodeBlock('object', blockInfo(many), many)) as Error).cause).toMatchObject({
      message: expect.stringContaining('more than') as string,
    });
  });

  test('of a block when it is decompressed', () => {
    const copies = Buffer.alloc(3 * 2 ** 21, Buffer.of(0xfe, 1, 0));
    const length = 1 + 64 * 2 ** 21;
    const varint = [0, 7, 14, 21].map((shift) => ((length >>> shift) & 127) | (shift < 21 ? 128 : 0));
    const block = Buffer.concat([Buffer.of(1, ...varint), Buffer.of(0, 0), copies]);
    const error = thrownBy(() => decodeBlock('object', blockInfo(block), block)) as Error;
    expect(error).toMatchObject({ code: 'SegmentCorrupt' });
    expect(String(error.cause)).toContain(`promises more than ${limits.block} bytes`);
  });
});

test('everything that state writes passes, and comes back', () => {
  expect(restoreOf(7).with('k', 'v', (v) => v.value)).toBe(7);
  fc.assert(
    fc.property(valueArbitrary, (value) => {
      const bytes = messagePack.encode(value);
      expect(Buffer.compare(messagePack.encode(unpackForeign(bytes)), bytes)).toBe(0);
    }),
    { numRuns: effort(100, 500) },
  );
  const { bytes, info } = blockOf(
    Buffer.from(messagePack.encode([Array.from({ length: 200 }, (_, i) => ({ [`n${i}`]: i, x: {} }))])),
  );
  expect(() => decodeBlock('object', info, bytes)).not.toThrow();
  expect(() => restoreOf(new Encoded(Buffer.of(0xc1)))).toThrow(coded('SegmentCorrupt'));
});
