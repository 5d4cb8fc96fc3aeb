import { lastValueFrom, of, toArray } from 'rxjs';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ListPage, ObjectStore } from '../../src/store/objectStore.js';
import { eachUploads, listedParts, listPages } from '../../src/store/pages.js';
import { answer, failure } from './s3support.js';

/** A store with one method replaced. */
const withMethod = (method: Partial<ObjectStore>): ObjectStore => Object.assign(createMemoryStore(), method);

test('a page that leads to itself ends a walk with an error', async () => {
  const page: ListPage = { objects: [], prefixes: [], cursor: 'again' };
  const upload = { key: 'a', uploadId: 'x' };
  const part = { number: 1, etag: 'x', size: 1 };
  for (const walk of [
    listPages(withMethod({ list: () => of(page) }), {}),
    eachUploads(withMethod({ listUploads: () => of({ uploads: [], next: { ...upload } }) }), '', () => []),
    listedParts(withMethod({ listParts: () => of({ parts: [part], next: 1 }) }), 'a', 'x'),
  ])
    expect(await failure(walk)).toMatchObject({ code: 'NotSupported', retryable: false });
});

test('pages follow each other to the end', async () => {
  const store = createMemoryStore();
  const keys = ['a', 'b', 'c', 'd', 'e'];
  for (const key of keys) await answer(store.put(key, Buffer.from(key)));
  const pages = await lastValueFrom(listPages(store, { limit: 2 }).pipe(toArray()));
  expect(pages.map(({ objects }) => objects.map(({ key }) => key))).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
});
