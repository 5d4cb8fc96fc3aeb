import { createMemoryStore } from '../../../src/entries/stores.js';
import { readSavepoint, savepointUri } from '../../../src/checkpoint/savepoints/read.js';
import { encodeRoot, rootOf } from '../../../src/checkpoint/savepoints/root.js';
import type { Manifest } from '../../../src/checkpoint/manifest.js';
import type { Observable } from 'rxjs';
import { now } from '../../simulation/world.js';

/** The code of the error of a memory store's answer. */
function codeOf(answer: Observable<unknown>): unknown {
  let code: unknown;
  answer.subscribe({ error: (error: unknown) => (code = (error as { readonly code?: unknown }).code) });
  return code;
}

const manifest: Manifest = {
  ...{
    version: 1,
    jobId: 'abcdefghijkl',
    job: 'clicks',
    n: 1,
    prev: null,
    parent: null,
    epoch: 1,
    putId: 'a',
  },
  ...{ kind: 'checkpoint', checkpoint: 1, at: 0, operators: {}, pending: [], garbage: [], retained: [] },
};
const bytes = encodeRoot(rootOf(manifest, new Map()));

test.each(['copies/savepoint', 'copies/savepoint/', 'copies/savepoint//'])('reads the root in %s', (key) => {
  const store = createMemoryStore({ uri: 'memory://lake' });
  now(store.put('copies/savepoint/root', bytes));
  expect(savepointUri({ store, key })).toBe('memory://lake/copies/savepoint/');
  expect(now(readSavepoint({ store, key }))).toMatchObject({ kind: 'savepoint', job: 'clicks' });
});

test('reads a savepoint that fills a bucket', () => {
  const store = createMemoryStore({ uri: 'memory://lake' });
  now(store.put('root', bytes));
  expect(savepointUri({ store, key: '' })).toBe('memory://lake/');
  expect(now(readSavepoint({ store, key: '' }))).toMatchObject({ job: 'clicks' });
});

test('a folder without anything is no savepoint, one with objects and no root an incomplete one', () => {
  const store = createMemoryStore({ uri: 'memory://lake' });
  const place = { store, key: 'copies/savepoint' };
  now(store.put('copies/savepoint-2/root', bytes));
  expect(codeOf(readSavepoint(place))).toBe('SavepointNotFound');
  now(store.put('copies/savepoint/data/0000000000/a/x.state', Buffer.from('x')));
  expect(codeOf(readSavepoint(place))).toBe('SavepointIncomplete');
});

test('the directory of a job that has begun with a savepoint is no incomplete one', () => {
  const store = createMemoryStore({ uri: 'memory://lake' });
  now(store.put('checkpoints/second/data/0000000000/a/x.state', Buffer.from('x')));
  now(store.put('checkpoints/second/log/00000000000000000001', Buffer.from('x')));
  expect(codeOf(readSavepoint({ store, key: 'checkpoints/second' }))).toBe('SavepointNotFound');
});
