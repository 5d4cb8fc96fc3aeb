import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { inflateRaw, deflateRawSync } from 'node:zlib';
import { codecNamed } from '../../src/formats/codec.js';
import type { Decompressor, MemberStart } from '../../src/formats/decompressor.js';
import { ZstdFinder } from '../../src/formats/zstd.js';
import { compressions, snappyFrames } from './compress.js';
import { effort } from '../support/effort.js';

/** Work in the thread pool, after what is queued there already. */
const poolTurn = (): Promise<void> =>
  new Promise((resolve) => {
    inflateRaw(deflateRawSync(Buffer.from('x')), () => setImmediate(resolve));
  });

/** `RUNS=5000` looks harder. */
const runs = Number(process.env['RUNS'] ?? effort(25, 60));

function decoderOf(name: string, from: MemberStart = { at: 0, offset: 0 }) {
  const failures: Error[] = [];
  const decoder: Decompressor = codecNamed(name)!.open({
    object: 'memory://lake/a',
    from,
    ready: () => undefined,
    fail: (error) => failures.push(error),
  });
  return { decoder, failures };
}

/** Everything that a decoder returns, or its failure. */
async function decoded(name: string, stored: Buffer, chunk = stored.length, from?: MemberStart) {
  const { decoder, failures } = decoderOf(name, from);
  const out: Buffer[] = [];
  let finished = false;
  for (let at = from?.at ?? 0; !decoder.over && failures.length === 0;) {
    for (let read = decoder.read(); read !== undefined; read = decoder.read()) out.push(read);
    if (decoder.hungry && at < stored.length) {
      decoder.push(stored.subarray(at, (at += chunk)));
    } else if (decoder.hungry && !finished) {
      decoder.finish();
      finished = true;
    }
    await poolTurn();
  }
  decoder.close();
  return { content: Buffer.concat(out), failure: failures[0] };
}

const size = fc.oneof(
  fc.constantFrom(0, 0, 1, 1000, 63_000, 200_000),
  fc.tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: -2, max: 2 })).map(([n, d]) => n * 65_536 + d),
  fc.nat(700_000),
);
const member = fc.record({
  size,
  /** Compresses well, or not at all. */
  dense: fc.boolean(),
  padding: fc.constantFrom(0, 0, 0, 1, 7, 512),
});
const pace = fc.record({ reads: fc.integer({ min: 0, max: 6 }), turns: fc.integer({ min: 0, max: 3 }) });
const noise = randomBytes(1 << 20);

describe.each(compressions)('$name', ({ name, compress, padding, members: several }) => {
  it('returns every byte for any members, chunks and pace of the reader, and from each member the rest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(member, { minLength: 1, maxLength: several ? 6 : 1 }),
        fc.integer({ min: 1, max: 40 }),
        fc.array(pace, { minLength: 1, maxLength: 8 }),
        fc.nat(),
        async (members, chunks, paces, pick) => {
          const contents = members.map(({ size, dense }, i) =>
            dense ? Buffer.alloc(size, i + 1) : noise.subarray(0, size),
          );
          const content = Buffer.concat(contents);
          const stored = Buffer.concat(
            contents.flatMap((each, i) => [compress(each), padding(members[i]!.padding)]),
          );
          const chunk = Math.ceil(stored.length / chunks);
          const { decoder, failures } = decoderOf(name);
          const out: Buffer[] = [];
          const starts: MemberStart[] = [];
          let at = 0;
          let finished = false;
          let idle = 0;
          for (let step = 0; !decoder.over && failures.length === 0; step++) {
            const before = at + out.length + (finished ? 1 : 0);
            const { reads, turns } = idle > 20 ? { reads: 1, turns: 1 } : paces[step % paces.length]!;
            for (let i = 0; i < reads; i++) {
              const read = decoder.read();
              if (read === undefined) continue;
              out.push(read);
              starts.push(decoder.member(out.reduce((sum, { length }) => sum + length, 0)));
            }
            if (decoder.hungry && at < stored.length) {
              decoder.push(stored.subarray(at, at + chunk));
              at = Math.min(at + chunk, stored.length);
            } else if (decoder.hungry && !finished) {
              decoder.finish();
              finished = true;
            }
            for (let i = 0; i < Math.max(turns, Math.min(idle, 1)); i++) await poolTurn();
            idle = at + out.length + (finished ? 1 : 0) === before ? idle + 1 : 0;
          }
          decoder.close();
          expect(failures).toEqual([]);
          expect(Buffer.concat(out).equals(content)).toBe(true);
          const start = starts[pick % Math.max(1, starts.length)];
          if (start === undefined) return;
          const rest = await decoded(name, stored, chunk, start);
          expect(rest.failure).toBeUndefined();
          expect(rest.content.equals(content.subarray(start.offset))).toBe(true);
        },
      ),
      // Shrinking would wait for a stuck decoder again and again.
      { numRuns: runs, endOnFailure: true },
    );
  });

  it('inflates no further than it is read', async () => {
    const { decoder, failures } = decoderOf(name);
    decoder.push(compress(Buffer.alloc(16 * 1024 * 1024)));
    let chunk = decoder.read();
    for (; chunk === undefined; chunk = decoder.read()) await poolTurn();
    for (let i = 0; i < 100; i++) await poolTurn();
    let ahead = 0;
    for (; chunk !== undefined; chunk = decoder.read()) ahead += chunk.length;
    expect(ahead).toBeLessThanOrEqual(1024 * 1024);
    expect(failures).toEqual([]);
    decoder.close();
    expect(decoder.held).toBe(0);
    expect(decoder.read()).toBeUndefined();
  });

  it('that is truncated anywhere, changed, or followed by something else is Integrity', async () => {
    const content = Buffer.concat([Buffer.alloc(300, 'ab'), noise.subarray(0, 300)]);
    const stored = compress(content);
    const bad = [1, 5, stored.length - 300, stored.length - 1].map((to) => stored.subarray(0, to));
    bad.push(Buffer.concat([stored, Buffer.from('more')]));
    if (name !== 'brotli') {
      const changed = Buffer.from(stored);
      changed[stored.length - 20]! ^= 1;
      // Node writes no checksums in zstd frames.
      if (name !== 'zstd') bad.push(changed);
    }
    for (const each of bad)
      for (const chunk of [1, each.length]) {
        const { failure } = await decoded(name, each, chunk);
        expect(failure).toMatchObject({ code: 'Integrity', retryable: false });
        expect(failure?.message).toContain('memory://lake/a is not intact');
      }
  });
});

describe('Snappy', () => {
  it('has a member for each chunk', async () => {
    const stored = snappyFrames(noise.subarray(0, 200_000));
    const { decoder } = decoderOf('snappy');
    decoder.push(stored);
    let bytes = 0;
    while (bytes < 200_000) {
      bytes += decoder.read()?.length ?? 0;
      await poolTurn();
    }
    expect(bytes).toBe(200_000);
    expect(decoder.member(150_000).offset).toBe(131_072);
    decoder.close();
  });

  it.each<[string, number[]]>([
    ['no identifier', [0, 5, 0, 0]],
    ['an unknown chunk', [...snappyFrames(Buffer.alloc(0)), 2, 0, 0, 0]],
    ['a chunk that is too long', [...snappyFrames(Buffer.alloc(0)), 0, 0xff, 0xff, 0xff]],
    ['another identifier', [0xff, 6, 0, 0, ...Buffer.from('sNaPpX')]],
  ])('with %s is Integrity', async (_, stored) => {
    expect((await decoded('snappy', Buffer.from(stored))).failure).toMatchObject({ code: 'Integrity' });
  });
});

/** What Node writes, where it has zstd, and what others do: sizes, dictionaries, checksums, runs. */
describe('the ends of zstd frames', () => {
  const magic = '28b52ffd';
  it.each([
    ['a raw block', `${magic}2003190000616263`],
    ['a window, and a checksum', `${magic}04581900006162630a0b0c0d`],
    ['two blocks, the second a run', `${magic}0058180000616263230000aa`],
    ['a size of eight bytes', `${magic}c0580300000000000000190000616263`],
    ['a dictionary, and a size of two bytes', `${magic}425801020000190000616263`],
    ['an empty block', `${magic}2000010000`],
    ['a skippable frame', '502a4d1803000000aabbcc'],
    ['an empty skippable frame', '5f2a4d1800000000'],
  ])('%s', (_, hex) => {
    const frame = Buffer.from(hex, 'hex');
    for (const chunk of [1, 3, frame.length]) {
      const finder = new ZstdFinder();
      const stored = Buffer.concat([frame, frame]);
      const ends: number[] = [];
      for (let from = 0; from < stored.length;) {
        const taken = finder.take(stored.subarray(from, from + chunk));
        if (typeof taken === 'string') throw new Error(taken);
        from += taken.bytes;
        if (taken.last) ends.push(from);
      }
      expect(ends).toEqual([frame.length, 2 * frame.length]);
    }
  });

  it('refuses other bytes', () => {
    expect(new ZstdFinder().take(Buffer.from('hello'))).toBe('no zstd frame here');
  });

  it('are not searched for if a frame demands too large a window', () => {
    // A window of 256 MiB, and a single segment of 2⁶⁰ bytes.
    for (const header of ['28b52ffd0090', '28b52ffde00000000000000010'])
      expect(new ZstdFinder().take(Buffer.from(header, 'hex'))).toMatch(/demands a window of \d+ bytes/);
    expect(new ZstdFinder().take(Buffer.from('28b52ffd0088', 'hex'))).toEqual({ bytes: 6, last: false });
  });

  it('counts the window of the frame as memory', () => {
    const finder = new ZstdFinder();
    finder.take(Buffer.from(`${magic}0090`, 'hex'));
    expect(finder.engineBytes).toBe(2 ** 28 + 128 * 1024);
  });
});
