/** Copies to a local directory write the ranges of a large object into one file. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom, throwError } from 'rxjs';
import { createOperations } from '../../../../src/fs/operations/index.js';
import { defaultConfig } from '../../../../src/config/index.js';
import { StoreError } from '../../../../src/store/errors.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import type { ByteRange, ObjectStore } from '../../../../src/store/objectStore.js';
import { createStores } from '../../../../src/store/registry.js';

const MiB = 2 ** 20;
const big = Buffer.alloc(11 * MiB + 5);
for (let i = 0; i < big.length; i += 997) big[i] = i;

describe('an object that is copied to a directory', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-down-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  /** A source that hands bytes on piece by piece, and refuses ranges from `broken.from` on. */
  const world = async () => {
    const inner = createMemoryStore();
    await lastValueFrom(inner.put('big', big, { metadata: { by: 'me' } }));
    const broken = { from: Infinity };
    const ranges: number[] = [];
    const source: ObjectStore = Object.assign(Object.create(inner) as ObjectStore, {
      get: (key: string, { range, ...options }: { range?: ByteRange }) => {
        const start = range?.start ?? 0;
        if (start >= broken.from)
          return throwError(() => new StoreError('PermissionDenied', 'Not yet.', { status: 403 }));
        ranges.push(start);
        return inner.get(key, { ...options, ...(range === undefined ? {} : { range }) });
      },
      head: (key: string) => inner.head(key),
      list: (options: object) => inner.list(options),
    });
    const operations = createOperations({
      stores: createStores({ schemes: { memory: () => source } }),
      config: defaultConfig(),
    });
    const copy = () =>
      lastValueFrom(
        operations.bulkCopy(
          { from: 'memory://a/big', to: `file://${directory}/` },
          { partSize: '5MiB', concurrency: 1 },
        ),
      );
    return { broken, ranges, copy, etag: (await lastValueFrom(inner.head('big'))).etag };
  };
  const left = async (): Promise<string[]> =>
    (await readdir(directory)).filter((name) => name !== '.millrace').sort();

  it('has its bytes, ETag and metadata, and is the same the next time', async () => {
    const { copy, ranges } = await world();
    await copy();
    expect((await readFile(join(directory, 'big'))).equals(big)).toBe(true);
    expect(await left()).toEqual(['big']);
    ranges.length = 0;
    expect((await copy()).skipped).toEqual({ objects: 1, bytes: big.length });
    expect(ranges).toEqual([]);
    const { store, key } = createStores().open(`file://${directory}/big`);
    const { metadata } = await lastValueFrom(store.head(key));
    expect(metadata).toMatchObject({ by: 'me' });
  });

  it('continues where it was interrupted', async () => {
    const { broken, copy, ranges } = await world();
    broken.from = 10 * MiB;
    await expect(copy()).rejects.toMatchObject({ code: 'CopyFailed' });
    expect(await left()).toEqual(['.big.millrace-partial']);
    broken.from = Infinity;
    ranges.length = 0;
    expect((await copy()).skipped.bytes).toBe(10 * MiB);
    expect(ranges).toEqual([10 * MiB]);
    expect((await readFile(join(directory, 'big'))).equals(big)).toBe(true);
    expect(await left()).toEqual(['big']);
    expect(await readdir(join(directory, '.millrace/uploads'))).toEqual([]);
  });
});
