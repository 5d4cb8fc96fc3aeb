import { lastValueFrom, map, of, Subject, take, throwError, toArray, type Observable } from 'rxjs';
import { systemClock } from '../../../src/flow/index.js';
import { createOperations } from '../../../src/fs/operations/index.js';
import { counting, StoreError } from '../../../src/entries/stores.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { createStores } from '../../../src/store/registry.js';

const all = <T>(from: Observable<T>): Promise<T[]> => lastValueFrom(from.pipe(toArray()));
const errorOf = async (from: Observable<unknown>): Promise<Error & { code?: string }> => {
  try {
    await all(from);
  } catch (error) {
    return error as Error;
  }
  throw new Error('It was to fail.');
};

async function lake(...keys: string[]) {
  const memory = createMemoryStore();
  for (const key of keys) await lastValueFrom(memory.put(key, Buffer.from(key)));
  const { store, counts, reset } = counting(memory);
  const over = (other: ObjectStore) =>
    createOperations({ stores: createStores({ schemes: { memory: () => other } }) });
  return { store, counts, reset, over, ...over(store) };
}
const names = (entries: readonly { readonly name: string }[]) => entries.map(({ name }) => name);
const keysOf = (entries: readonly { readonly uri: string }[]) =>
  entries.map(({ uri }) => decodeURIComponent(uri.slice('memory://lake/'.length)));

describe('list', () => {
  test('shows objects and directories of one level in the order of their names', async () => {
    const { list } = await lake('a', 'a/b', 'a/c/d', 'a//e', 'z é%+', 'b/', 'b/x');
    expect(names(await all(list('memory://lake')))).toEqual(['a', 'a/', 'b/', 'z é%+']);
    expect(names(await all(list('memory://lake/a/')))).toEqual(['/', 'b', 'c/']);
    expect(names(await all(list('memory://lake/b')))).toEqual(['x']);
  });

  test('lists an object as itself unless a trailing slash means the directory', async () => {
    const { list } = await lake('a', 'a/b');
    expect(keysOf(await all(list('memory://lake/a')))).toEqual(['a']);
  });

  test('fails if nothing is there, except for an empty bucket', async () => {
    const { list } = await lake();
    expect(await all(list('memory://lake'))).toEqual([]);
    expect(await errorOf(list('memory://lake/no'))).toMatchObject({ code: 'NotFound' });
    expect(await errorOf(list('memory://lake/no/'))).toMatchObject({ code: 'NotFound' });
  });

  test('an empty directory that has a marker has no entries', async () => {
    const { list } = await lake('d/');
    expect(await all(list('memory://lake/d'))).toEqual([]);
  });
});

describe('walk', () => {
  test('emits every object below, by one listing', async () => {
    const { walk, counts } = await lake('d/', 'd/a', 'd/b/c', 'e');
    expect(keysOf(await all(walk('memory://lake/d/')))).toEqual(['d/', 'd/a', 'd/b/c']);
    expect(counts()).toMatchObject({ total: 1, requests: { list: 1 } });
  });

  test('accepts wildcards, and percent-encoded ones as ordinary characters', async () => {
    const { walk } = await lake('d/a.txt', 'd/e/b.txt', 'd/c.csv', 'd/*.txt');
    expect(keysOf(await all(walk('memory://lake/d/**/*.txt')))).toEqual(['d/*.txt', 'd/a.txt', 'd/e/b.txt']);
    expect(keysOf(await all(walk('memory://lake/d/%2A.txt')))).toEqual(['d/*.txt']);
    expect(await all(walk('memory://lake/none*'))).toEqual([]);
  });

  test('requests no page that is not needed', async () => {
    const { walk, counts } = await lake(...Array.from({ length: 2500 }, (_, i) => `k${10_000 + i}`));
    expect(await all(walk('memory://lake/').pipe(take(1500)))).toHaveLength(1500);
    expect(counts().requests).toEqual({ list: 2 });
  });

  test('requests the next page when the Observable of `pace` completes', async () => {
    const { walk, counts } = await lake(...Array.from({ length: 2500 }, (_, i) => `k${10_000 + i}`));
    const brakes: Subject<never>[] = [];
    const pages: number[] = [];
    let entries = 0;
    const pace = (page: readonly unknown[]) => {
      pages.push(page.length);
      brakes.push(new Subject());
      return brakes.at(-1)!;
    };
    walk('memory://lake/', { pace }).subscribe(() => (entries += 1));
    expect([entries, counts().total]).toEqual([1000, 1]);
    brakes[0]!.complete();
    expect([entries, counts().total]).toEqual([2000, 2]);
    brakes[1]!.complete();
    expect([entries, counts().total]).toEqual([2500, 3]);
    expect(pages).toEqual([1000, 1000]);
  });

  test('of millions of keys is a loop, not a recursion', async () => {
    const { over, store } = await lake('k');
    let pages = 0;
    const endless: ObjectStore = {
      ...store,
      list: () =>
        of({
          objects: [{ key: 'k', size: 1, etag: 'e', modified: 0 }],
          prefixes: [],
          ...(++pages < 20_000 ? { cursor: `${pages}` } : {}),
        }),
    };
    let seen = 0;
    over(endless)
      .walk('memory://lake/')
      .subscribe(() => (seen += 1));
    expect(seen).toBe(20_000);
  });
});

describe('stat and exists', () => {
  test('an object, with the properties that only a HEAD returns', async () => {
    const { stat, store } = await lake();
    await lastValueFrom(store.put('a', Buffer.from('abc'), { metadata: { owner: 'me' } }));
    expect(await lastValueFrom(stat('memory://lake/a'))).toMatchObject({
      uri: 'memory://lake/a',
      name: 'a',
      kind: 'object',
      size: 3,
      metadata: { owner: 'me' },
    });
  });

  test.each([
    ['memory://lake', 'directory'],
    ['memory://lake/a', 'object'],
    ['memory://lake/a/', 'directory'],
    ['memory://lake/d', 'directory'],
    ['memory://lake/d/', 'directory'],
    ['memory://lake/e', 'directory'],
  ])('%s is an %s', async (uri, kind) => {
    const { stat, exists } = await lake('a', 'a/b', 'd/', 'e/f');
    expect(await lastValueFrom(stat(uri))).toMatchObject({ kind });
    expect(await lastValueFrom(exists(uri))).toBe(true);
  });

  test('nothing', async () => {
    const { stat, exists } = await lake('a', 'ab/c');
    for (const uri of ['memory://lake/b', 'memory://lake/a/', 'memory://lake/ab/d']) {
      expect(await errorOf(stat(uri))).toMatchObject({ code: 'NotFound' });
      expect(await lastValueFrom(exists(uri))).toBe(false);
    }
  });

  test('a denied request is an error, not false', async () => {
    const { over, store } = await lake();
    const refused = new StoreError('PermissionDenied', 'No right to s3:GetObject.', { status: 403 });
    const { exists } = over({ ...store, head: () => throwError(() => refused) });
    expect(await errorOf(exists('memory://lake/a'))).toBe(refused);
  });
});

describe('remove', () => {
  test('one object is one request', async () => {
    const { remove, counts, walk } = await lake('a', 'a/b');
    await all(remove('memory://lake/a'));
    expect(counts().requests).toEqual({ delete: 1 });
    expect(keysOf(await all(walk('memory://lake')))).toEqual(['a/b']);
  });

  test('a missing object, without and with `mustExist`', async () => {
    const { remove } = await lake();
    await all(remove('memory://lake/a'));
    for (const recursive of [false, true])
      expect(await errorOf(remove('memory://lake/a', { mustExist: true, recursive }))).toMatchObject({
        code: 'NotFound',
      });
  });

  test('a directory with content needs `recursive`', async () => {
    const { remove, walk } = await lake('d/', 'd/a', 'd/b/c', 'da', 'd');
    expect(await errorOf(remove('memory://lake/d/'))).toMatchObject({ code: 'NotEmpty' });
    const progress = await all(remove('memory://lake/d/', { recursive: true }));
    expect(progress.at(-1)).toMatchObject({ objects: { done: 3, total: 3 }, bytes: { done: 10, total: 10 } });
    expect(keysOf(await all(walk('memory://lake')))).toEqual(['d', 'da']);
  });

  test('an empty directory is removed with its marker', async () => {
    const { remove, walk } = await lake('d/', 'e/');
    await all(remove('memory://lake/d/'));
    await all(remove('memory://lake/e', { mustExist: true }));
    expect(await all(walk('memory://lake'))).toEqual([]);
  });

  test.each(['memory://lake', 'memory://lake/'])('%s as a whole needs `wholeBucket`, too', async (uri) => {
    const { remove, walk } = await lake('a', 'b/c');
    expect(await errorOf(remove(uri))).toMatchObject({ code: 'NotEmpty' });
    expect(await errorOf(remove(uri, { recursive: true }))).toMatchObject({ code: 'WholeBucket' });
    expect(await all(walk('memory://lake'))).toHaveLength(2);
    await all(remove(uri, { recursive: true, wholeBucket: true }));
    expect(await all(walk('memory://lake'))).toEqual([]);
  });

  test('takes 1,000 keys a request, and reports progress', async () => {
    const { remove, counts } = await lake(...Array.from({ length: 2500 }, (_, i) => `d/${10_000 + i}`));
    const progress = await all(remove('memory://lake/d/', { recursive: true }));
    expect(counts().requests).toEqual({ list: 3, delete: 3 });
    expect(progress.map(({ objects }) => objects)).toEqual([
      { done: 1000 },
      { done: 2000 },
      { done: 2500, total: 2500 },
    ]);
  });

  test('reports everything that could not be removed in one error, and removes the rest', async () => {
    const { over, store, walk } = await lake('d/a', 'd/b', 'd/c');
    const refused = new StoreError('PermissionDenied', 'Object lock.');
    const stubborn: ObjectStore = {
      ...store,
      delete: (keys) =>
        store
          .delete(keys.filter((key) => key === 'd/b'))
          .pipe(map(() => keys.filter((key) => key !== 'd/b').map((key) => ({ key, error: refused })))),
    };
    const error = await errorOf(over(stubborn).remove('memory://lake/d/', { recursive: true }));
    expect(error).toMatchObject({
      code: 'RemoveFailed',
      failures: [
        { uri: 'memory://lake/d/a', error: refused },
        { uri: 'memory://lake/d/c', error: refused },
      ],
    });
    expect(keysOf(await all(walk('memory://lake')))).toEqual(['d/a', 'd/c']);
  });
});

describe('makeDirectory', () => {
  test('creates a marker, once', async () => {
    const { makeDirectory, stat, store } = await lake();
    const made = await lastValueFrom(makeDirectory('memory://lake/d'));
    expect(made).toMatchObject({ uri: 'memory://lake/d/', name: 'd/', kind: 'directory' });
    expect(await lastValueFrom(stat('memory://lake/d'))).toMatchObject({ kind: 'directory' });
    await lastValueFrom(store.put('d/', Buffer.from('kept')));
    expect(await lastValueFrom(makeDirectory('memory://lake/d/'))).toMatchObject({ size: 4 });
  });
});

describe('uploads', () => {
  test('that are unfinished are listed by prefix; old ones can be aborted', async () => {
    let now = 0;
    const store = createMemoryStore({ clock: { now: () => now } });
    const { uploads, abortUploads } = createOperations({
      stores: createStores({ schemes: { memory: () => store } }),
      clock: { ...systemClock, now: () => now },
    });
    for (const key of ['raw/a', 'raw/b', 'other/c']) {
      await lastValueFrom(store.createUpload(key));
      now += 60_000;
    }
    expect(keysOf(await all(uploads('memory://lake/raw/')))).toEqual(['raw/a', 'raw/b']);
    expect(keysOf(await all(abortUploads('memory://lake/raw', { olderThan: '2m' })))).toEqual([
      'raw/a',
      'raw/b',
    ]);
    expect(await all(abortUploads('memory://lake/', { olderThan: '2m' }))).toEqual([]);
    expect(keysOf(await all(abortUploads('memory://lake/', { olderThan: 0 })))).toEqual(['other/c']);
  });
});

test('a wrong URI is an error of the Observable, not of the call', async () => {
  const { list } = await lake();
  expect(await errorOf(list('nowhere'))).toMatchObject({ code: 'InvalidUri' });
});
