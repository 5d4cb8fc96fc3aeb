import * as fc from 'fast-check';
import { EMPTY, ignoreElements, type Observable } from 'rxjs';
import { createStores, decorate, type ObjectStore, type StoreMethod } from '../../src/entries/stores.js';
import { loadConfig } from '../../src/config/index.js';
import { createFs, type Fs } from '../../src/fs/promises/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { all, bytes, content, filled, MiB, operationsOn } from './support.js';
import { effort } from '../support/effort.js';

type Silent = (request: number, method: StoreMethod) => boolean;

interface World {
  readonly from: ObjectStore;
  readonly to: ObjectStore;
  readonly stores: Readonly<Record<'from' | 'to', ObjectStore>>;
  readonly requests: StoreMethod[];
}

async function world(silent: Silent, after: boolean): Promise<World> {
  const requests: StoreMethod[] = [];
  const around = (store: ObjectStore): ObjectStore =>
    decorate(store, <T>({ method }: { method: StoreMethod }, made: Observable<T>) => {
      requests.push(method);
      if (!silent(requests.length, method)) return made;
      return after ? made.pipe(ignoreElements()) : EMPTY;
    });
  const from = await filled({ 'd/a': 'a', 'd/b/c': 'c', 'd/large': bytes(6 * MiB) });
  const to = createMemoryStore();
  return { from, to, requests, stores: { from: around(from), to: around(to) } };
}

const fsOn = ({ stores }: World): Fs =>
  createFs({
    stores: createStores({ schemes: { memory: (name) => stores[name as 'from' | 'to'] } }),
    config: loadConfig({ env: {}, file: false, transfer: { writePartSize: '5MiB' } }),
  });

interface Work {
  readonly act: (world: World) => Promise<unknown>;
  /** What success leaves at the target. */
  readonly leaves: (from: Record<string, string>) => Record<string, string>;
}

const copied = (from: Record<string, string>): Record<string, string> => from;
const works: Record<string, Work> = {
  'a copy of a directory': {
    act: ({ stores }) =>
      all(
        operationsOn(stores).bulkCopy(
          { from: 'memory://from/d/', to: 'memory://to/d/' },
          { partSize: '5MiB', concurrency: 3 },
        ),
      ),
    leaves: copied,
  },
  'a copy that must not overwrite': {
    act: ({ stores }) =>
      all(
        operationsOn(stores, { writePartSize: '5MiB' }).copy('memory://from/d/', 'memory://to/d/', {
          overwrite: false,
        }),
      ),
    leaves: copied,
  },
  'a stream from one object to another': {
    act: async (made) => {
      const fs = fsOn(made);
      const target = fs.createWriteStream('memory://to/d/large');
      for await (const chunk of fs.createReadStream('memory://from/d/large'))
        await new Promise<void>((resolve, reject) => {
          target.write(chunk, (error) => (error ? reject(error) : resolve()));
          target.once('error', reject);
        });
      await new Promise<void>((resolve, reject) => {
        target.once('error', reject).end(() => resolve());
      });
    },
    leaves: (from) => ({ 'd/large': from['d/large'] ?? '' }),
  },
};

/** Settles within a number of turns of the event loop: the stores answer at once. */
async function settled(work: Promise<unknown>): Promise<'done' | 'hangs' | { readonly error: unknown }> {
  let outcome: 'done' | 'hangs' | { readonly error: unknown } = 'hangs';
  work.then(
    () => (outcome = 'done'),
    (error: unknown) => (outcome = { error }),
  );
  for (let turn = 0; turn < 20_000 && outcome === 'hangs'; turn++)
    await new Promise<void>((resolve) => setImmediate(resolve));
  return outcome;
}

const isNoAnswer = (error: unknown): boolean =>
  error instanceof Error &&
  ((error as { readonly code?: string }).code === 'NoAnswer' ||
    isNoAnswer(error.cause) ||
    ((error as { readonly failures?: readonly { error: Error }[] }).failures ?? []).some((failure) =>
      isNoAnswer(failure.error),
    ));

describe.each(Object.entries(works))('%s', (_, { act, leaves }) => {
  /** It ends, with the error or with the right content. */
  async function holds(silent: Silent, after: boolean): Promise<'done' | 'failed'> {
    const made = await world(silent, after);
    const outcome = await settled(act(made));
    if (typeof outcome === 'object') {
      expect(outcome).toEqual({ error: expect.any(Error) as Error });
      expect(isNoAnswer(outcome.error)).toBe(true);
      return 'failed';
    }
    expect(outcome).toBe('done');
    const found = Object.entries(await content(made.to)).filter(
      ([key]) => !key.endsWith('.millrace-partial'),
    );
    expect(Object.fromEntries(found)).toEqual(leaves(await content(made.from)));
    return 'done';
  }

  test('without an answer to one request it ends', async () => {
    const { requests, ...clean } = await world(() => false, false);
    await act({ requests, ...clean });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: requests.length }), fc.boolean(), async (k, after) => {
        await holds((request) => request === k, after);
      }),
      { numRuns: effort(5, 12) },
    );
  });

  test('without an answer to any request of a verb it fails', async () => {
    const clean = await world(() => false, false);
    await act(clean);
    const used = [...new Set(clean.requests)];
    expect(used).toEqual(expect.arrayContaining(['get', 'uploadPart', 'completeUpload']));
    for (const verb of used)
      for (const after of [false, true])
        // Only notes are deleted; one that is left is harmless.
        if (verb !== 'delete')
          expect([verb, await holds((__, method) => method === verb, after)]).toEqual([verb, 'failed']);
  });
});
