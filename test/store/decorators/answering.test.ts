import { concat, EMPTY, lastValueFrom, NEVER, of, type Observable } from 'rxjs';
import { answeringStores } from '../../../src/store/decorators/answering.js';
import { decorate, type StoreMethod } from '../../../src/store/decorators/decorate.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { createStores } from '../../../src/store/registry.js';
import type { StoreLocation, Stores } from '../../../src/store/services.js';
import { storeConformance } from '../../../src/testing/storeConformance.js';

const opened = (store: ObjectStore): StoreLocation =>
  answeringStores(createStores({ schemes: { memory: () => store } })).open('memory://lake/in');

storeConformance('memory held to its answers', () =>
  Promise.resolve({
    store: opened(createMemoryStore({ minimumPartSize: 10 })).store,
    close: () => Promise.resolve(),
    supports: { minimumPartSize: 10 },
  }),
);

const part = { number: 1, etag: 'a', size: 1 };
const verbs: Record<StoreMethod, (store: ObjectStore) => Observable<unknown>> = {
  head: (store) => store.head('k'),
  get: (store) => store.get('k'),
  put: (store) => store.put('k', Buffer.from('x')),
  list: (store) => store.list({ prefix: 'k' }),
  delete: (store) => store.delete(['k']),
  copy: (store) => store.copy('j', 'k'),
  createUpload: (store) => store.createUpload('k'),
  uploadPart: (store) => store.uploadPart('k', 'u', 1, Buffer.from('x')),
  copyPart: (store) => store.copyPart('k', 'u', 1, { key: 'j' }),
  listParts: (store) => store.listParts('k', 'u'),
  listUploads: (store) => store.listUploads({ prefix: 'k' }),
  completeUpload: (store) => store.completeUpload('k', 'u', [part]),
  abortUpload: (store) => store.abortUpload('k', 'u'),
};
const each = Object.entries(verbs) as [StoreMethod, (store: ObjectStore) => Observable<unknown>][];

const answeredBy = (answers: Observable<unknown>): ObjectStore =>
  decorate(createMemoryStore({ uri: 'memory://lake' }), <T>() => answers as Observable<T>);

describe.each(each)('%s', (verb, ask) => {
  test.each(['store', 'reserved'] as const)('without an answer it fails: %s', async (which) => {
    const answer = lastValueFrom(ask(opened(answeredBy(EMPTY))[which]));
    await expect(answer).rejects.toMatchObject({
      code: 'NoAnswer',
      retryable: false,
      message: expect.stringContaining(
        `memory://lake completed without an answer: ${verb} of 'k'.`,
      ) as string,
    });
  });

  test('only the first answer counts, and nothing is awaited after it', async () => {
    const answers: unknown[] = [];
    await new Promise<void>((complete) => {
      ask(opened(answeredBy(concat(of('one', 'two'), NEVER))).store).subscribe({
        next: (answer) => answers.push(answer),
        complete,
      });
    });
    expect(answers).toEqual(['one']);
  });
});

test('a store is wrapped once, however often it is opened', () => {
  const store = createMemoryStore();
  const stores = answeringStores(createStores({ schemes: { memory: () => store } }));
  const { store: wrapped, reserved } = stores.open('memory://lake/a');
  expect(stores.open('memory://lake/b').store).toBe(wrapped);
  expect(reserved).toBe(wrapped);
  expect(answeringStores(stores).open('memory://lake/a').store).toBe(wrapped);
});

test('what else a location answers is held to it, too', async () => {
  const location = createStores().open('memory://lake/in');
  const variants: unknown[] = [];
  const given: Stores = {
    open: () => ({
      ...location,
      capabilities: EMPTY,
      lifecycle: EMPTY,
      identities: { object: () => EMPTY, directory: () => EMPTY },
      variant: (options) => {
        variants.push(options);
        return answeredBy(EMPTY);
      },
    }),
  };
  const { capabilities, identities, variant, lifecycle } = answeringStores(given).open('memory://lake/in');
  const fails = async (request: Observable<unknown> | undefined): Promise<void> => {
    await expect(lastValueFrom(request ?? of(0))).rejects.toMatchObject({ code: 'NoAnswer' });
  };
  await fails(capabilities);
  await fails(lifecycle);
  await fails(identities?.object('k'));
  await fails(identities?.directory('k'));
  await fails(variant?.({ checksum: 'md5' }).head('k'));
  expect(variants).toEqual([{ checksum: 'md5' }]);
});
