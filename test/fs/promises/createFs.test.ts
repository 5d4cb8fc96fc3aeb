import { once } from 'node:events';
import { chdir, cwd } from 'node:process';
import { mkdtemp, rm } from 'node:fs/promises';
import * as nodeFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { inspect } from 'node:util';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { lastValueFrom } from 'rxjs';
import { loadConfig } from '../../../src/config/index.js';
import fsDefault, * as module from '../../../src/fs/promises/index.js';
import type { FsError } from '../../../src/fs/promises/index.js';
import { createFs, type Fs } from '../../../src/fs/promises/index.js';
import { counting } from '../../../src/store/decorators/counting.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { createStores } from '../../../src/store/registry.js';
import { backends } from '../backends.js';

const MiB = 2 ** 20;
const blob = (size: number): Buffer => {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 997) bytes[i] = (i * 13) & 255;
  return bytes;
};
const over = (store: ObjectStore, set: Record<string, string> = {}): Fs =>
  createFs({
    stores: createStores({ schemes: { memory: () => store } }),
    config: loadConfig({ env: {}, file: false, set }),
  });
const uploads = async (store: ObjectStore, prefix = '') =>
  (await lastValueFrom(store.listUploads({ prefix }))).uploads;
const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: unknown) => (error as NodeJS.ErrnoException).code,
  );

describe('types', () => {
  it('fit a program that expects a part of node:fs/promises', () => {
    type Wanted = Pick<
      typeof nodeFs,
      | 'access'
      | 'appendFile'
      | 'constants'
      | 'copyFile'
      | 'cp'
      | 'lstat'
      | 'mkdir'
      | 'mkdtemp'
      | 'readFile'
      | 'readdir'
      | 'realpath'
      | 'rename'
      | 'rm'
      | 'rmdir'
      | 'stat'
      | 'unlink'
      | 'writeFile'
    >;
    const program = async (fs: Wanted): Promise<string> => {
      await fs.writeFile('memory://types/a', 'text');
      const names: string[] = await fs.readdir('memory://types/');
      return fs.readFile(`memory://types/${names[0]!}`, 'utf8');
    };
    const ours: Wanted = module;
    expect([ours, fsDefault satisfies Wanted].length).toBe(2);
    return expect(program(over(createMemoryStore()))).resolves.toBe('text');
  });
});

describe('errors', () => {
  it('are Node’s: code, errno, syscall, path, and the store’s as the cause', async () => {
    const fs = over(createMemoryStore());
    const ours = await fs.readFile('memory://lake/none').catch((error: unknown) => error as FsError);
    const theirs = await nodeFs
      .readFile('/no/such/file')
      .catch((error: unknown) => error as NodeJS.ErrnoException);
    expect(ours).toMatchObject({
      code: 'ENOENT',
      errno: (theirs as NodeJS.ErrnoException).errno,
      syscall: 'open',
      path: 'memory://lake/none',
      message: (theirs as Error).message.replace('/no/such/file', 'memory://lake/none'),
      cause: { code: 'NotFound' },
    });
  });

  it('contain no secret of a URI', async () => {
    const fs = createFs({ stores: createStores() });
    const error: unknown = await fs.readFile('s3x://KEY:hush@host/lake/none').catch((e: unknown) => e);
    const stream = fs.createReadStream('s3x://KEY:hush@host/lake/none').on('error', () => undefined);
    expect(`${inspect(error)} ${JSON.stringify(error)} ${inspect(stream)}`).not.toContain('hush');
    stream.destroy();
  });

  it.each([
    ['a', 'open for appending', (fs: Fs, path: string) => fs.open(path, 'a')],
    ['r+', 'open for both', (fs: Fs, path: string) => fs.open(path, 'r+')],
    ['w+', 'open for both', (fs: Fs, path: string) => fs.open(path, 'w+')],
    ['appendFile', 'append', (fs: Fs, path: string) => fs.appendFile(path, 'x')],
    ['flag a', 'append', (fs: Fs, path: string) => fs.writeFile(path, 'x', { flag: 'a' })],
    ['bigint', 'bigint stats', (fs: Fs, path: string) => fs.stat(path, { bigint: true })],
  ])('%s is ENOTSUP, with a message that says so', async (_, __, work) => {
    const fs = over(createMemoryStore());
    await fs.writeFile('memory://lake/a', 'x');
    await expect(work(fs, 'memory://lake/a')).rejects.toMatchObject({
      code: 'ENOTSUP',
      path: 'memory://lake/a',
    });
    expect(await fs.readFile('memory://lake/a', 'utf8')).toBe('x');
  });

  it('of wrong arguments are Node’s', async () => {
    const fs = over(createMemoryStore());
    await fs.writeFile('memory://lake/a', 'text');
    const both = async (work: (fs: typeof nodeFs, path: string) => Promise<unknown>) => {
      const file = join(tmpdir(), `millrace-args-${process.pid}`);
      await nodeFs.writeFile(file, 'text');
      const outcomes = [await codeOf(work(nodeFs, file)), await codeOf(work(fs as never, 'memory://lake/a'))];
      await nodeFs.rm(file);
      expect(outcomes[1]).toBe(outcomes[0]);
      expect(outcomes[1]).toMatch(/^ERR_/);
    };
    await both((any) =>
      any
        .readFile(5 as never, 'utf8')
        .catch((e: unknown) => Promise.reject(e as Error))
        .then(() => any.open('x', 'nonsense')),
    );
    await both((any, path) => any.readFile(path, 'nonsense' as 'utf8'));
    await both((any, path) => any.open(path, 'nonsense'));
    await both((any, path) => any.writeFile(path, 5 as never as string));
    await both(async (any, path) => {
      const handle = await any.open(path);
      try {
        await handle.read(Buffer.alloc(4), 2, 3, 0);
      } finally {
        await handle.close();
      }
    });
  });

  it('distinguish a bucket from a directory: rm of a whole bucket is EPERM', async () => {
    const fs = over(createMemoryStore());
    await fs.writeFile('memory://lake/a', 'x');
    expect(await codeOf(fs.rm('memory://lake/', { recursive: true }))).toBe('EPERM');
    expect(await fs.readdir('memory://lake/')).toEqual(['a']);
  });
});

describe('paths', () => {
  it('may be URIs, results of path.join, URL objects, Buffers, and local paths', async () => {
    const fs = over(createMemoryStore());
    await fs.writeFile('memory://lake/dir/50%25 off?.txt', 'x');
    expect(await fs.readFile(join('memory://lake', 'dir', '50%25 off?.txt'), 'utf8')).toBe('x');
    expect(await fs.readFile(new URL('memory://lake/dir/50%25%20off%3F.txt'), 'utf8')).toBe('x');
    expect(await fs.readFile(Buffer.from('memory://lake/dir/50%25 off?.txt'), 'utf8')).toBe('x');
    const [name] = await fs.readdir('memory://lake/dir');
    expect(await fs.readFile(`memory://lake/dir/${name!}`, 'utf8')).toBe('x');
  });

  it('without a scheme are files, relative to the working directory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-cwd-'));
    const before = cwd();
    const fs = createFs({ config: loadConfig({ env: {}, file: false }) });
    try {
      chdir(directory);
      await fs.writeFile('50% off.txt', 'x');
      expect(await nodeFs.readFile(join(directory, '50% off.txt'), 'utf8')).toBe('x');
      expect(await fs.readFile(`file://${directory}/50%25%20off.txt`, 'utf8')).toBe('x');
      expect(await fs.readdir('.')).toEqual(['50% off.txt']);
      expect(await fs.realpath('50% off.txt')).toBe(join(directory, '50% off.txt'));
      await fs.mkdir('a/b', { recursive: true });
      expect(await fs.mkdtemp('a/t-')).toMatch(/^a\/t-[A-Za-z0-9]{6}$/);
    } finally {
      chdir(before);
      await fs.close();
      await rm(directory, { recursive: true });
    }
  });
});

describe('encodings and signals', () => {
  it('are Node’s', async () => {
    const fs = over(createMemoryStore());
    await fs.writeFile('memory://lake/a', 'ff00', 'hex');
    expect(await fs.readFile('memory://lake/a')).toEqual(Buffer.from([255, 0]));
    expect(await fs.readFile('memory://lake/a', { encoding: 'base64' })).toBe('/wA=');
    expect(await fs.readdir('memory://lake/', 'buffer')).toEqual([Buffer.from('a')]);
    await fs.writeFile('memory://lake/a', new Uint16Array([0x6161]));
    expect(await fs.readFile('memory://lake/a', 'latin1')).toBe('aa');
  });

  it('an abort rejects as Node’s does, aborts requests, and leaves nothing behind', async () => {
    const { store, counts } = counting(createMemoryStore());
    const fs = over(store);
    const aborted = AbortSignal.abort('enough');
    const error = { name: 'AbortError', code: 'ABORT_ERR', cause: 'enough' };
    await expect(fs.readFile('memory://lake/a', { signal: aborted })).rejects.toMatchObject(error);
    await expect(fs.writeFile('memory://lake/a', 'x', { signal: aborted })).rejects.toMatchObject(error);
    expect(counts().total).toBe(0);
    const controller = new AbortController();
    const body = (async function* () {
      for (let i = 0; i < 30; i++) {
        if (i === 20) controller.abort('enough');
        await Promise.resolve();
        yield blob(MiB);
      }
    })();
    await expect(fs.writeFile('memory://lake/a', body, { signal: controller.signal })).rejects.toMatchObject(
      error,
    );
    await fs.close();
    expect(counts().requests.abortUpload).toBe(1);
    expect(await uploads(store)).toEqual([]);
    expect(await codeOf(fs.stat('memory://lake/a'))).toBe('ENOENT');
  });
});

describe('handles', () => {
  it('read one version: an overwrite is ESTALE', async () => {
    const fs = over(createMemoryStore());
    await fs.writeFile('memory://lake/a', blob(MiB));
    const handle = await fs.open('memory://lake/a');
    await handle.read(Buffer.alloc(10), 0, 10, 0);
    await fs.writeFile('memory://lake/a', blob(2 * MiB));
    await expect(handle.read(Buffer.alloc(10), 0, 10, 900_000)).rejects.toMatchObject({ code: 'ESTALE' });
    expect((await handle.stat()).size).toBe(MiB);
    await handle.close();
    await expect(handle.read(Buffer.alloc(1))).rejects.toMatchObject({ code: 'EBADF' });
  });

  it('write what is there when they are closed, all or nothing', async () => {
    const store = createMemoryStore();
    const fs = over(store);
    const handle = await fs.open('memory://lake/a', 'w', { metadata: { by: 'test' } });
    expect(await handle.write('one ')).toEqual({ bytesWritten: 4, buffer: 'one ' });
    await Promise.all([handle.write(Buffer.from('xtwoy'), 1, 3), handle.write(' three', 7, 'utf8')]);
    await handle.writev([Buffer.from('!'), Buffer.from('?')]);
    expect((await handle.stat()).size).toBe(15);
    await expect(handle.write('back', 0)).rejects.toMatchObject({ code: 'ENOTSUP' });
    expect(await codeOf(fs.stat('memory://lake/a'))).toBe('ENOENT');
    await expect(handle.close()).rejects.toMatchObject({ code: 'ENOTSUP' });
    expect(await codeOf(fs.stat('memory://lake/a'))).toBe('ENOENT');

    const again = await fs.open('memory://lake/a', 'w');
    await again.appendFile('whole');
    await expect(again.read(Buffer.alloc(1))).rejects.toMatchObject({ code: 'EBADF' });
    await expect(again.sync()).rejects.toMatchObject({ code: 'ENOTSUP' });
    await again.close();
    await again.close();
    expect(await fs.readFile('memory://lake/a', 'utf8')).toBe('whole');

    const dropped = await fs.open('memory://lake/a', 'w');
    await dropped.writeFile(blob(20 * MiB));
    expect((await uploads(store)).length).toBe(1);
    await dropped.abort();
    expect(await uploads(store)).toEqual([]);
    expect(await fs.readFile('memory://lake/a', 'utf8')).toBe('whole');
  });

  it('create only: wx fails immediately, and at the end if another writer was faster', async () => {
    const fs = over(createMemoryStore());
    const slow = await fs.open('memory://lake/a', 'wx');
    await slow.write('slow');
    await fs.writeFile('memory://lake/a', 'fast', { flag: 'wx' });
    await expect(slow.close()).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(fs.open('memory://lake/a', 'wx')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await fs.readFile('memory://lake/a', 'utf8')).toBe('fast');
  });

  it('can be disposed, read lines, and create streams', async () => {
    const fs = over(createMemoryStore());
    {
      await using handle = await fs.open('memory://lake/a', 'w');
      await pipeline(async function* () {
        await Promise.resolve();
        yield 'one\ntwo\n';
        yield 'three';
      }, handle.createWriteStream());
    }
    const handle = await fs.open('memory://lake/a');
    await handle.read(Buffer.alloc(4));
    expect(await text(handle.createReadStream({ autoClose: false }))).toBe('two\nthree');
    expect(await text(handle.createReadStream({ start: 0, end: 2, autoClose: false }))).toBe('one');
    const lines: string[] = [];
    for await (const line of handle.readLines({ start: 0 })) lines.push(line);
    expect(lines).toEqual(['one', 'two', 'three']);
    await expect(handle.readFile()).rejects.toMatchObject({ code: 'EBADF' });
  });
});

describe('requests', () => {
  it('of a small file: readFile is a HEAD and a GET, writeFile a PUT', async () => {
    const { store, counts, reset } = counting(createMemoryStore());
    const fs = over(store);
    await fs.writeFile('memory://lake/a', 'x');
    expect(counts().requests).toEqual({ put: 1 });
    reset();
    await fs.readFile('memory://lake/a');
    expect(counts().requests).toEqual({ head: 1, get: 1 });
  });

  it('opendir lists a page when it is needed', async () => {
    const { store, counts, reset } = counting(createMemoryStore());
    for (let i = 0; i < 2500; i++)
      store.put(`d/${String(i).padStart(5, '0')}`, new Uint8Array(0)).subscribe();
    const fs = over(store);
    await using dir = await fs.opendir('memory://lake/d');
    reset();
    expect((await dir.read())?.name).toBe('00000');
    // One asks whether it is an object; the other is the first page.
    expect(counts().requests.list).toBeLessThanOrEqual(2);
    const before = counts().requests.list!;
    for (let i = 1; i < 1000; i++) await dir.read();
    expect(counts().requests.list).toBe(before);
    let last = '';
    for await (const { name, parentPath } of dir) last = `${parentPath}/${name}`;
    expect(last).toBe('memory://lake/d/02499');
  });

  it('follow the configuration: fragments, read buffer, part size, one at a time', async () => {
    const { store, counts, reset } = counting(createMemoryStore());
    const fs = over(store, {
      's3.spi.read.max-fragment-size': '1MiB',
      's3.spi.write.multipart-part-size': '5MiB',
      's3.read.buffer.size': '64KiB',
      's3.async.enabled': 'false',
    });
    await fs.writeFile('memory://lake/a', blob(12 * MiB));
    expect(counts().requests.uploadPart).toBe(3);
    reset();
    await fs.readFile('memory://lake/a');
    expect(counts().requests.get).toBe(12);
    reset();
    const handle = await fs.open('memory://lake/a');
    await handle.read(Buffer.alloc(100), 0, 100, 5 * MiB);
    await handle.close();
    expect(counts().bytesDown).toBe(64 << 10);
    const stream = fs.createReadStream('memory://lake/a');
    expect(stream.readableHighWaterMark).toBe(64 << 10);
    stream.destroy();
    await once(stream, 'close');
  });
});

describe.each(backends)('streams over %s', (_, open) => {
  it('transfer an object both ways, whole or in a range, and leave nothing when they are destroyed', async () => {
    const { stores, base, store, close } = await open();
    const fs = createFs({ stores });
    try {
      const bytes = blob(17 * MiB + 3);
      const out = fs.createWriteStream(`${base}a`, { metadata: { by: 'test' } });
      await pipeline([bytes.subarray(0, 10), bytes.subarray(10)], out);
      expect([out.bytesWritten, out.written?.size]).toEqual([bytes.length, bytes.length]);
      expect((await buffer(fs.createReadStream(`${base}a`))).equals(bytes)).toBe(true);
      const middle = fs.createReadStream(`${base}a`, { start: 5 * MiB, end: 6 * MiB, highWaterMark: 1000 });
      expect((await buffer(middle)).equals(bytes.subarray(5 * MiB, 6 * MiB + 1))).toBe(true);
      await pipeline(fs.createReadStream(`${base}a`), fs.createWriteStream(`${base}b`));
      expect((await fs.readFile(`${base}b`)).equals(bytes)).toBe(true);

      const dropped = fs.createWriteStream(`${base}c`);
      await new Promise<void>((resolve, reject) => {
        dropped.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
      const { key } = stores.open(`${base}c`);
      while ((await uploads(store, key)).length === 0);
      dropped.destroy(new Error('enough'));
      await once(dropped, 'error');
      if (!dropped.closed) await once(dropped, 'close');
      expect(await uploads(store, key)).toEqual([]);
      await expect(fs.stat(`${base}c`)).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(buffer(fs.createReadStream(`${base}c`))).rejects.toMatchObject({
        code: 'ENOENT',
        syscall: 'open',
      });
      await expect(pipeline(['x'], fs.createWriteStream(`${base}a`, { flags: 'wx' }))).rejects.toMatchObject({
        code: 'EEXIST',
      });
      expect((await fs.stat(`${base}a`)).size).toBe(bytes.length);
    } finally {
      await fs.close();
      await close();
    }
  });
});

it('a failed stream has the error of the store', async () => {
  const inner = createMemoryStore();
  await lastValueFrom(inner.put('a', blob(MiB)));
  const fs = over({
    ...decorate(inner, (_, run) => run),
    get: (key, options) => inner.get(key, { ...options, ifMatch: 'other' }),
  });
  await expect(buffer(fs.createReadStream('memory://lake/a'))).rejects.toMatchObject({ code: 'ESTALE' });
});
