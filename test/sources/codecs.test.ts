import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { lastValueFrom, map } from 'rxjs';
import type { Json } from '../../src/flow/index.js';
import { bytes } from '../../src/formats/bytes.js';
import { ndjson } from '../../src/formats/ndjson.js';
import { text } from '../../src/formats/text.js';
import { files, type FilesOptions } from '../../src/sources/files.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { startGateway } from '../../src/store/gateway/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectBody, ObjectStore } from '../../src/store/objectStore.js';
import { openStores } from '../../src/store/open.js';
import { credentials } from '../store/s3support.js';
import { gzipMembers, readAll, slicedFiles, type StoredPosition } from './harness.js';

// The machine may be busy with other tests.
interface Stored {
  readonly key: string;
  readonly body: Uint8Array;
  readonly encoding?: string | undefined;
}

function lakeOf(...objects: readonly Stored[]): ObjectStore {
  const store = createMemoryStore({ uri: 'memory://lake' });
  for (const { key, body, encoding } of objects) {
    store.put(key, body, encoding === undefined ? {} : { content: { encoding } }).subscribe();
  }
  return store;
}

const reading = async (object: Stored, options: Partial<FilesOptions<unknown>> = {}) =>
  readAll(files('memory://lake/', { format: ndjson<unknown>(), ...options }), lakeOf(object));

describe('files: what an object is', () => {
  const runs = Number(process.env['RUNS'] ?? 150);

  it('is detected for any name, header and chunks; the rest is read from any position', async () => {
    const object = fc.record({
      lines: fc.array(fc.string({ unit: fc.constantFrom('a', ' ', 'ä', '€'), maxLength: 12 }), {
        maxLength: 20,
      }),
      codec: fc.constantFrom('plain', 'gzip', 'members'),
      cuts: fc.array(fc.nat(400), { maxLength: 5 }),
      name: fc.constantFrom('txt', 'gz', 'GZIP', 'ndjson'),
      encoding: fc.constantFrom(
        undefined,
        'gzip',
        'identity',
        'aws-chunked',
        'gzip, gzip',
        'utf-8',
        'X-GZIP',
      ),
    });
    const sizes = fc.record({
      fragment: fc.integer({ min: 1, max: 60 }),
      window: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(object, { minLength: 1, maxLength: 3 }),
        sizes,
        sizes,
        fc.nat(),
        async (objects, first, second, pick) => {
          const store = lakeOf(
            ...objects.map(({ lines, codec, cuts, name, encoding }, i) => {
              const content = Buffer.from(lines.map((line) => `${line}\n`).join(''));
              const body =
                codec === 'plain'
                  ? content
                  : codec === 'gzip'
                    ? gzipSync(content)
                    : gzipMembers(content, cuts);
              return { key: `${i}.${name}`, body, encoding };
            }),
          );
          const expected = objects.flatMap(({ lines }) => lines);
          const read = (prefetch: typeof first, position?: Json) =>
            readAll(slicedFiles('memory://lake/', { format: text(), prefetch }, 1), store, position);
          const whole = await read(first);
          expect(whole.error).toBeUndefined();
          expect(whole.records).toEqual(expected);
          const cut = whole.positions[pick % whole.positions.length]!;
          const rest = await read(second, cut.position);
          expect(rest.error).toBeUndefined();
          expect(rest.records).toEqual(expected.slice(cut.records));
          expect(rest.positions[0]!.position).toEqual(cut.position);
        },
      ),
      { numRuns: runs },
    );
  });

  it.each([
    ['a.parquet', Buffer.from('PAR1\u0015\u0004'), undefined, 'a Parquet file'],
    ['a.ndjson', Buffer.from([0x04, 0x22, 0x4d, 0x18, 4]), undefined, 'lz4'],
    ['a.ndjson.bz2', Buffer.from([0x8b, 3, 0x80]), undefined, 'bzip2'],
    ['a.ndjson', Buffer.from([0x8b, 3, 0x80]), 'deflate', 'deflate'],
    ['a.ndjson', gzipSync(gzipSync('1\n')), 'gzip, gzip', 'compressed twice'],
    ['a.ndjson.gz', gzipSync(gzipSync('1\n')), undefined, 'compressed twice'],
    ['a.tar.gz', gzipSync(Buffer.concat([Buffer.alloc(257), Buffer.from('ustar\0')])), undefined, 'tar'],
  ])('%s of other bytes is refused before a record of it is read', async (key, body, encoding, name) => {
    for (const onMalformed of ['fail', 'skip'] as const) {
      const { records, error } = await reading({ key, body, encoding }, { onMalformed });
      expect(records).toEqual([]);
      expect(error).toMatchObject({ code: 'UnknownCodec', retryable: false });
      expect((error as Error).message).toContain(`memory://lake/${key}`);
      expect((error as Error).message).toContain(name);
    }
  });

  it.each([
    ['plain', (content: Buffer) => content],
    ['gzip', gzipSync],
  ])('%s UTF-16 is NotUtf8, in both byte orders', async (_, store) => {
    const little = Buffer.from('\uFEFF{"a":1}\r\n', 'utf16le');
    for (const content of [little, Buffer.from(little).swap16()]) {
      for (const compression of ['auto', _ === 'plain' ? 'none' : 'gzip'] as const) {
        const { error } = await reading({ key: 'a.ndjson', body: store(content) }, { compression });
        expect(error).toMatchObject({ code: 'NotUtf8', retryable: false });
      }
    }
  });

  it('a compression set by the user has precedence over the object', async () => {
    const zipped = gzipSync('{"a":1}\n');
    const asIs = await reading(
      { key: 'a.gz', body: zipped, encoding: 'gzip' },
      { compression: 'none', format: bytes() },
    );
    expect(Buffer.concat(asIs.records as Uint8Array[]).equals(zipped)).toBe(true);
    const zst = await reading({ key: 'a.zst', body: Buffer.from('1\n') }, { compression: 'none' });
    expect(zst.records).toEqual([1]);
    const named = await reading({ key: 'a.zst', body: zipped, encoding: 'br' }, { compression: 'gzip' });
    expect(named.records).toEqual([{ a: 1 }]);
    const plain = await reading({ key: 'a.ndjson.gz', body: Buffer.from('1\n') }, { compression: 'gzip' });
    expect(plain.error).toMatchObject({ code: 'Integrity' });
  });

  it('one that is set differently from the run that is resumed is BadPosition, but at the start of an object', async () => {
    const store = lakeOf({ key: 'a.gz', body: gzipSync('1\n2\n') });
    const read = (compression: 'auto' | 'none' | 'gzip', position?: Json) =>
      readAll(slicedFiles('memory://lake/', { format: text(), compression }, 1), store, position);
    const { positions } = await read('auto');
    const middle = positions
      .map(({ position }) => position as unknown as StoredPosition)
      .find(({ object }) => object?.offset === 2)!;
    const start = { ...middle, object: { ...middle.object!, offset: 0, line: 0 } } as unknown as Json;
    expect((await read('gzip', middle as unknown as Json)).records).toEqual(['2']);
    expect((await read('none', middle as unknown as Json)).error).toMatchObject({
      code: 'BadPosition',
      message: expect.stringContaining('is in the middle of memory://lake/') as string,
    });
    expect((await read('gzip', start)).records).toEqual(['1', '2']);
    expect((await read('none', start)).error).toBeUndefined();
  });

  it('bytes() passes objects without a codec on unchanged', async () => {
    const parquet = Buffer.from('PAR1\u0015\u0004');
    const { records } = await reading({ key: 'a.parquet', body: parquet }, { format: bytes() });
    expect(Buffer.concat(records as Uint8Array[]).equals(parquet)).toBe(true);
  });

  it('needs one request for a small object, and no HEAD', async () => {
    const calls: string[] = [];
    const store = decorate(lakeOf({ key: 'a', body: gzipSync('1\n'), encoding: 'gzip' }), (call, run) => {
      calls.push(call.method);
      return run;
    });
    expect((await readAll(files('memory://lake/*', { format: text() }), store)).records).toEqual(['1']);
    expect(calls).toEqual(['list', 'get']);
  });
});

describe('files: Content-Encoding over the wire', () => {
  const body = gzipSync('{"a":1}\n{"a":2}\n');

  it.each(['gzip', 'GZIP', 'aws-chunked', 'gzip,aws-chunked', 'identity'])(
    '%s: judged by the bytes',
    async (encoding) => {
      const lake = createMemoryStore();
      const gateway = await startGateway({ buckets: { lake }, credentials });
      const stores = openStores({ s3: { endpoint: gateway.endpoint, credentials } });
      try {
        await lastValueFrom(lake.put('a.json', body, { content: { encoding } }));
        // What a proxy has decompressed on the way keeps its header.
        await lastValueFrom(lake.put('b.json', Buffer.from('{"a":3}\n'), { content: { encoding } }));
        const { store } = stores.open('s3://lake/');
        const { records, error } = await readAll(files('s3://lake/*.json', { format: ndjson() }), store);
        expect(error).toBeUndefined();
        expect(records).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
      } finally {
        stores.close();
        await gateway.close();
      }
    },
  );

  it('a proxy that decompresses ranges, so that sizes do not match, is Integrity', async () => {
    const store = decorate(lakeOf({ key: 'a.json', body, encoding: 'gzip' }), (call, run) =>
      call.method === 'get'
        ? run.pipe(map((got) => ({ ...(got as ObjectBody), chunks: [Buffer.from('{"a":1}\n')] }) as never))
        : run,
    );
    const { records, error } = await readAll(files('memory://lake/', { format: ndjson() }), store);
    expect(records).toEqual([]);
    expect(error).toMatchObject({ code: 'Integrity' });
  });
});
