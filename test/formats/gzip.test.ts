import { gzipSync, inflateRaw, deflateRawSync } from 'node:zlib';
import type { Decompressor } from '../../src/formats/decompressor.js';
import { gunzip } from '../../src/formats/codec.js';
import { parseGzipHeader } from '../../src/formats/gzipHeader.js';

// The machine may be busy with other tests.
/** Work in the thread pool, behind what is queued there already. */
const poolTurn = (): Promise<void> =>
  new Promise((resolve) => {
    inflateRaw(deflateRawSync(Buffer.from('x')), () => setImmediate(resolve));
  });

function decoderOf(): { decoder: Decompressor; failures: Error[] } {
  const failures: Error[] = [];
  const decoder = gunzip({
    object: 'memory://lake/a.gz',
    from: { at: 0, offset: 0 },
    ready: () => undefined,
    fail: (error) => failures.push(error),
  });
  return { decoder, failures };
}

describe('gunzip', () => {
  it('stops inflating when enough output waits, and continues when it is read', async () => {
    const { decoder } = decoderOf();
    decoder.push(gzipSync(Buffer.alloc(16 * 1024 * 1024)));
    for (let i = 0; i < 100; i++) await poolTurn();
    // Its engine included.
    expect(decoder.held).toBeLessThanOrEqual(424 * 1024);
    let bytes = 0;
    for (let finished = false; !decoder.over;) {
      const chunk = decoder.read();
      bytes += chunk?.length ?? 0;
      if (decoder.hungry && !finished) {
        decoder.finish();
        finished = true;
      }
      if (chunk === undefined) await poolTurn();
    }
    expect(bytes).toBe(16 * 1024 * 1024);
  });

  it('reads members byte by byte, with names, comments and checksums in their headers', async () => {
    const plain = gzipSync('hello ');
    const rich = Buffer.concat([
      Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 3, 0, 1, 2, 3]),
      Buffer.from('name\0comment\0'),
      Buffer.from([9, 9]),
      gzipSync('world').subarray(10),
    ]);
    const { decoder, failures } = decoderOf();
    let out = '';
    const stored = [...plain, ...rich, ...gzipSync('')];
    for (const [at, byte] of stored.entries()) {
      decoder.push(Buffer.from([byte]));
      while (!decoder.hungry) await poolTurn();
      for (let chunk = decoder.read(); chunk !== undefined; chunk = decoder.read()) out += chunk.toString();
      if (at === plain.length + 2) expect(decoder.member(6)).toEqual({ at: 0, offset: 0 });
    }
    decoder.finish();
    expect(decoder.over).toBe(true);
    expect(failures).toEqual([]);
    expect(out).toBe('hello world');
    expect(decoder.member(5)).toEqual({ at: 0, offset: 0 });
    expect(decoder.member(6)).toEqual({ at: plain.length, offset: 6 });
  });

  it('continues after a member that ends while its output waits to be read', async () => {
    const sizes = [200_000, 63_000, 1000];
    const { decoder } = decoderOf();
    decoder.push(Buffer.concat(sizes.map((size) => gzipSync(Buffer.alloc(size)))));
    for (let i = 0; i < 50; i++) await poolTurn();
    let bytes = 0;
    let finished = false;
    for (let turn = 0; turn < 1000 && !decoder.over; turn++) {
      bytes += decoder.read()?.length ?? 0;
      if (decoder.hungry && !finished) decoder.finish();
      finished ||= decoder.over;
      await poolTurn();
    }
    expect(bytes).toBe(264_000);
    expect(decoder.over).toBe(true);
  });

  it('is quiet after close', async () => {
    const { decoder, failures } = decoderOf();
    decoder.push(gzipSync(Buffer.alloc(1 << 20)));
    decoder.close();
    for (let i = 0; i < 10; i++) await poolTurn();
    expect(decoder.held).toBe(0);
    expect(decoder.read()).toBeUndefined();
    expect(failures).toEqual([]);
  });
});

describe('the gzip header', () => {
  it('rejects any other bytes', () => {
    expect(parseGzipHeader(Buffer.from('PK'))).toBe('bad');
    expect(parseGzipHeader(Buffer.from([0x1f, 0x8b, 8, 0x20]))).toBe('bad');
    expect(parseGzipHeader(Buffer.from([0x1f]))).toBe('more');
  });
});
