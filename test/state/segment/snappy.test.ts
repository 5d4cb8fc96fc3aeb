import fc from 'fast-check';
import { compress, uncompress } from 'snappyjs';
import { decodeBlock } from '../../../src/state/segment/block.js';
import { decompress } from '../../../src/formats/snappyBlock.js';
import { blockInfo, coded } from '../harness.js';

/** Bytes that Snappy finds something to copy in. */
const plain = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 30 })), {
    maxLength: 30,
  })
  .map((runs) => Buffer.concat(runs.flatMap(([bytes, times]) => Array<Uint8Array>(times).fill(bytes))));

describe('Snappy', () => {
  test('returns what was compressed', () => {
    fc.assert(
      fc.property(plain, (bytes) => {
        expect(decompress(compress(bytes))).toEqual(bytes);
      }),
    );
    const long = Buffer.alloc(300_000, 'no two of these lines: '.repeat(7));
    expect(decompress(compress(long)).equals(long)).toBe(true);
    const noise = Buffer.from(Array.from({ length: 70_000 }, (_, i) => Math.imul(i, 2654435761) >>> 24));
    expect(decompress(compress(noise)).equals(noise)).toBe(true);
  });

  test('a block with a byte changed, inserted or missing gives the result of snappyjs, or a RangeError', () => {
    fc.assert(
      fc.property(plain, fc.nat(), fc.nat(255), fc.nat(2), (bytes, at, byte, way) => {
        const block = compress(bytes);
        const place = at % block.length;
        const bad = Buffer.concat([
          block.subarray(0, place),
          way === 0 ? Buffer.alloc(0) : Buffer.of(byte),
          block.subarray(way === 2 ? place : place + 1),
        ]);
        let got: Buffer | undefined;
        try {
          got = decompress(bad);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
        if (got !== undefined) expect(got.equals(uncompress(bad))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test.each<[string, number[]]>([
    ['a literal of a negative length, on which snappyjs loops forever', [64, 0, 65, 252, 250, 255, 255, 255]],
    ['a length of 4 GiB', [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 65]],
    ['a length of 36 bits', [0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 65]],
    ['a length that never ends', [0xff, 0xff]],
    ['nothing', []],
    ['a copy from before the block', [4, 0, 65, 1, 2]],
    ['a copy from nowhere', [5, 0, 65, 1, 0]],
    ['a copy without its offset', [5, 0, 65, 1]],
    ['a literal that is cut off', [5, 16, 65]],
    ['more than declared', [1, 4, 65, 66]],
    ['less than declared', [3, 4, 65, 66]],
  ])('%s is refused', (_, bytes) => {
    expect(() => decompress(Uint8Array.from(bytes))).toThrow(RangeError);
    const block = Buffer.from([1, ...bytes]);
    expect(() => decodeBlock('segment', blockInfo(block), block)).toThrow(coded('SegmentCorrupt'));
  });

  test('a block that claims more cells than it has bytes is refused before any of them is allocated', () => {
    const block = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x90]);
    const error = thrown(() => decodeBlock('segment', blockInfo(block), block));
    expect(error).toMatchObject({ code: 'SegmentCorrupt' });
    // Without the check it is refused as well, but only after gigabytes were taken.
    expect(String(error.cause)).toContain('more cells than it has bytes');
  });
});

function thrown(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown.');
}
