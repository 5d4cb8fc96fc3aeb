import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { compress } from 'snappyjs';
import { decodeBlock } from '#src/state/segment/block.js';
import { absent, noPath, Operand, type CellPath } from '#src/state/cells.js';
import { compareEncoded, hashOfEncoded } from '#src/state/keys/encodedKeys.js';
import { storedKey, type Key } from '#src/state/keys/keys.js';
import { decodeFooter } from '#src/state/segment/footer.js';
import { decodePage, decodeRoot, type PageInfo } from '#src/state/segment/blockIndex.js';
import { SegmentEncoder } from '#src/state/segment/encoder.js';
import { headerLength, type SegmentFooter } from '#src/state/segment/format.js';
import { messagePack, unpackForeign } from '#src/state/values/serializer.js';
import { decompress } from '#src/formats/snappyBlock.js';
import { parseSnapshot } from '#src/state/backend/snapshot.js';
import { between, pick } from '../../simulation/random.js';
import { mutated, mutatedJson, noise } from '../mutate.js';
import { target } from '../target.js';

const keys: readonly Key[] = [
  'user-1',
  17,
  2n ** 70n,
  true,
  null,
  '\ud800',
  [1, ['a', null]],
  { b: 1, a: [true] },
];
const values: readonly unknown[] = [
  1,
  'text',
  { id: 7, tags: ['a', 'b'], at: new Date(0) },
  { id: 8, tags: [], at: new Date(1) },
  new Map([['a', new Set([1])]]),
  [undefined, 2n ** 80n, Buffer.from('bytes')],
];

const paths: readonly CellPath[] = [
  noPath,
  noPath,
  { namespace: Buffer.from('window'), subKey: noPath.subKey },
  { namespace: Buffer.from('window'), subKey: Buffer.from('entry') },
];
const contents: readonly unknown[] = [...values, absent, new Operand([1, 2])];

function segment(
  random: () => number,
  compression: boolean,
): { blocks: Buffer; footer: Buffer; size: number } {
  const serializer = { id: 'msgpackr', version: 1 };
  const states = ['a', 'b'].map((id) => ({ id, kind: 'value', serializer }));
  const encoder = new SegmentEncoder({ maxParallelism: 128, states }, compression);
  for (let i = between(random, 1, 40); i > 0; i--)
    encoder.add(
      3,
      between(random, 0, 3),
      storedKey(pick(random, keys)),
      between(random, 0, 1),
      pick(random, paths),
      pick(random, contents),
    );
  const blocks = Buffer.from(encoder.flush());
  const footer = Buffer.from(encoder.finish());
  return { blocks, footer, size: blocks.length + footer.length };
}

/** A block whose checksum is right, whatever it holds. */
function readBlock(bytes: Buffer): void {
  const info = { offset: headerLength, length: bytes.length, cells: 1, firstGroup: 0, lastGroup: 0 };
  const block = decodeBlock('segment', { ...info, crc: crc32(bytes) }, bytes);
  for (let i = 0; i < Math.min(block.count, 1000); i++) block.key(i);
}

export const stateTargets = [
  target({
    name: 'snappy',
    errors: [],
    draw: (random) => mutated(random, compress(segment(random, false).blocks)),
    run: (bytes: Buffer) => {
      try {
        decompress(bytes);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    },
  }),
  target({
    name: 'block',
    errors: ['SegmentCorrupt'],
    draw: (random) => {
      const compressed = between(random, 0, 1) === 1;
      return mutated(random, segment(random, compressed).blocks.subarray(headerLength));
    },
    run: readBlock,
  }),
  target({
    name: 'block of compressed noise',
    errors: ['SegmentCorrupt'],
    draw: (random) => {
      const { blocks } = segment(random, false);
      const plain = mutated(random, blocks.subarray(headerLength + 1));
      return Buffer.concat([Buffer.of(1), compress(plain)]);
    },
    run: readBlock,
  }),
  target({
    name: 'segment footer',
    errors: ['SegmentCorrupt', 'SegmentTooNew'],
    draw: (random) => {
      const { footer, size } = segment(random, true);
      const body = mutated(random, footer.subarray(0, -16));
      const trailer = Buffer.from(footer.subarray(-16));
      trailer.writeUInt32LE(body.length, 4);
      trailer.writeUInt32LE(crc32(trailer.subarray(0, 8), crc32(body)), 8);
      const object = Buffer.concat([Buffer.alloc(headerLength), body, trailer]);
      return { object, size: size - footer.length + body.length + 16 };
    },
    run: ({ object, size }: { object: Buffer; size: number }) => decodeFooter('segment', object, size),
  }),
  target({
    name: 'root of a segment index',
    errors: ['SegmentCorrupt'],
    draw: (random) => {
      const { blocks, footer, size } = segment(random, true);
      const whole = decodeFooter('segment', Buffer.concat([blocks, footer]), size);
      const at = whole.root.offset - blocks.length;
      const bytes = mutated(random, footer.subarray(at, at + whole.root.length));
      // As if the footer had been written for it.
      const sha256 = hash('sha256', bytes, 'buffer');
      return { footer: { ...whole, root: { ...whole.root, length: bytes.length, sha256 } }, bytes };
    },
    run: ({ footer, bytes }: { footer: SegmentFooter; bytes: Buffer }) =>
      decodeRoot('segment', footer, bytes),
  }),
  target({
    name: 'page of a segment index',
    errors: ['SegmentCorrupt'],
    draw: (random) => {
      const { blocks, footer, size } = segment(random, true);
      const all = Buffer.concat([blocks, footer]);
      const { root } = decodeFooter('segment', all, size);
      const { pages } = decodeRoot(
        'segment',
        decodeFooter('segment', all, size),
        all.subarray(root.offset, root.offset + root.length),
      );
      const [page] = pages;
      if (page === undefined) throw new Error('A segment has at least one page.');
      const bytes = mutated(random, all.subarray(page.offset, page.offset + page.length));
      const sha256 = hash('sha256', bytes, 'buffer');
      return { info: { ...page, length: bytes.length, sha256 }, bytes };
    },
    run: ({ info, bytes }: { info: PageInfo; bytes: Buffer }) => decodePage('segment', info, bytes),
  }),
  target({
    name: 'MessagePack',
    errors: [],
    draw: (random) =>
      between(random, 0, 3) === 0
        ? noise(random, between(random, 1, 400))
        : mutated(random, messagePack.encode(values.slice(between(random, 0, 3)))),
    run: (bytes: Buffer) => {
      // A block reports whatever this throws as SegmentCorrupt; it must not hang, or exhaust memory.
      try {
        unpackForeign(bytes);
      } catch {
        // Any error will do.
      }
    },
  }),
  target({
    name: 'encoded keys in a merge',
    errors: [],
    draw: (random) => noise(random, between(random, 1, 40)),
    run: (bytes: Buffer) => {
      compareEncoded(bytes, 0, bytes.length, bytes, 0, bytes.length - 1);
      try {
        hashOfEncoded(bytes, 0, bytes.length);
      } catch (error) {
        if (!(error instanceof RangeError) && !(error instanceof SyntaxError)) throw error;
      }
    },
  }),
  target({
    name: 'snapshot of keyed state',
    errors: ['StateSchemaMismatch', 'SegmentCorrupt'],
    draw: (random) =>
      mutatedJson(random, {
        kind: 'keyed-state',
        version: 3,
        maxParallelism: 128,
        keyGroups: { first: 0, last: 127 },
        states: [{ id: 'n', name: 'm' }, { id: 'dropped' }],
        runs: [
          {
            keyGroups: { first: 0, last: 63 },
            segments: [{ object: '0000000001/visits-a.state', bytes: 1000, cells: 3, crc: 7 }],
          },
        ],
      }),
    run: (json) => {
      const { runs } = parseSnapshot('visits', json, 128);
      for (const { object, bytes, cells, crc } of runs.flatMap(({ segments }) => segments))
        if (typeof object !== 'string' || ![bytes, cells, crc].every(Number.isSafeInteger))
          throw new TypeError(object);
    },
  }),
];
