import fc from 'fast-check';
import { gunzipSync } from 'node:zlib';
import { codecs, codecNamed } from '../../src/formats/codec.js';
import { compressed } from '../../src/formats/compressed.js';
import type { Codec, Compressor } from '../../src/formats/decompressor.js';
import { writerOf, type FileEncoder, type Writer } from '../../src/formats/writer.js';
import { array, columns, recordsOf, rows, whole } from '../support/encoders.js';
import { effort } from '../support/effort.js';

const written = codecs.filter((codec): codec is typeof codec & { readonly compressor: Compressor } => {
  return codec.compressor !== undefined;
});

/** Everything that the reader of a codec makes of stored bytes. */
function decompressed({ open }: Codec, stored: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    let sent = false;
    let finished = false;
    const turn = (): void => {
      for (let read = decoder.read(); read !== undefined; read = decoder.read()) out.push(read);
      if (decoder.over) {
        decoder.close();
        resolve(Buffer.concat(out));
      } else if (decoder.hungry && !sent) {
        sent = true;
        decoder.push(stored);
        setImmediate(turn);
      } else if (decoder.hungry && !finished) {
        finished = true;
        decoder.finish();
        setImmediate(turn);
      }
    };
    const decoder = open({
      object: 'memory://a',
      from: { at: 0, offset: 0 },
      ready: () => setImmediate(turn),
      fail: reject,
    });
    turn();
  });
}

/** A file, and the file that each checkpoint would be restored as. */
function fileOf<T>(writer: Writer<T>, records: readonly T[], checkpoints: ReadonlySet<number>) {
  const out: Buffer[] = [];
  const restored: Buffer[] = [];
  const encoder = writer.open({ write: (chunk) => out.push(Buffer.from(chunk)) });
  let kept = Buffer.alloc(0);
  records.forEach((record, i) => {
    encoder.write(record);
    if (!checkpoints.has(i)) return;
    const { closing, rows: held } = encoder.persist?.(false) ?? {};
    const rest: Uint8Array[] = closing === undefined ? [] : [closing];
    if (held !== undefined && typeof writer.restore !== 'string') {
      kept = Buffer.concat(held.afresh ? [held.added] : [kept, held.added]);
      rest.push(writer.restore.seal(held.state, kept));
    }
    restored.push(Buffer.concat([...out, ...rest]));
  });
  encoder.finish();
  return { file: Buffer.concat(out), restored };
}

const formats = { rows: () => writerOf<unknown>(rows), array, columns: () => columns(5) };

describe.each(written.map((codec) => [codec.name, codec] as const))('%s', (_, codec) => {
  test('a file is the compression of the same file, at the end and at each checkpoint', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...(Object.keys(formats) as (keyof typeof formats)[])),
        fc.array(fc.record({ n: fc.nat(), text: fc.string({ unit: 'binary' }) }), {
          minLength: 1,
          maxLength: 30,
        }),
        fc.array(fc.nat(29)),
        fc.constantFrom(1, 7, 100, 256 * 1024),
        async (name, records, cuts, frameBytes) => {
          const checkpoints = new Set(cuts);
          const plain = fileOf(formats[name](), records, checkpoints);
          const { file, restored } = fileOf(
            compressed(formats[name](), codec.compressor, frameBytes),
            records,
            checkpoints,
          );
          expect(await decompressed(codec, file)).toEqual(plain.file);
          for (const [i, each] of restored.entries())
            expect(await decompressed(codec, each)).toEqual(plain.restored[i]);
        },
      ),
      { numRuns: effort(15, 40) },
    );
  });

  test('content that does not compress, and content of many frames', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_each, i) => (i * 7919 * (i % 251)) & 0xff));
    for (const content of [bytes, Buffer.alloc(300_000, 'ab')])
      expect(await decompressed(codec, codec.compressor.compress(content))).toEqual(content);
  });
});

describe('an encoder', () => {
  const { compressor } = codecNamed('gzip') as { readonly compressor: Compressor };
  let out: Uint8Array[];
  const open = (): FileEncoder<unknown> => {
    out = [];
    return compressed(writerOf<unknown>(rows), compressor).open({
      write: (chunk) => out.push(Buffer.from(chunk)),
    });
  };

  test('counts what it holds, and writes it when memory is short', () => {
    const encoder = open();
    for (let i = 0; i < 100; i++) encoder.write('x'.repeat(997));
    expect(encoder.held).toBeGreaterThanOrEqual(100_000);
    expect(out).toEqual([]);
    encoder.flush?.();
    expect(encoder.held).toBe(0);
    expect(gunzipSync(Buffer.concat(out)).length).toBe(100_000);
  });

  test('ends a frame every 256 KiB', () => {
    const encoder = open();
    for (let i = 0; i < 1024; i++) encoder.write('x'.repeat(1021));
    expect(out).toHaveLength(4);
    expect(encoder.held).toBe(0);
  });

  test('of a file that is finished at checkpoints is, too', () => {
    expect(compressed(whole(), compressor)).toMatchObject({ restore: 'whole', extension: '.whole.gz' });
    const { file } = fileOf(compressed(whole(), compressor), [{ n: 1 }], new Set());
    expect(recordsOf('a.whole.gz', file)).toEqual([{ n: 1 }]);
  });
});
