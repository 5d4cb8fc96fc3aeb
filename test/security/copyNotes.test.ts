/** Objects that are named like a copy's notes (`.big.millrace-partial`) are objects like any other. */
import { lastValueFrom, throwError } from 'rxjs';
import { decorate, StoreError, type StoreCall } from '../../src/entries/stores.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { all, bytes, content, errorOf, filled, MiB, operationsOn, uploadsOf } from '../fs/support.js';

const note = '.big.millrace-partial';
const big = bytes(20 * MiB);
const pair = { from: 'memory://a/d/', to: 'memory://b/d/' };

/** Fails parts from the second on. */
const interrupting = (store: ObjectStore): ObjectStore =>
  decorate(store, (call: StoreCall, run) =>
    call.method === 'uploadPart' ? throwError(() => new StoreError('Unavailable', 'Gone.')) : run,
  );

test.each([1, 2, 8])('objects with names of notes are copied, %p at the same time', async (concurrency) => {
  const a = await filled({
    [`d/${note}`]: 'theirs',
    'd/!early': bytes(20 * MiB, 1),
    'd/.!early.millrace-partial': 'theirs, too',
    'd/big': big,
    'd/z': 'z',
  });
  const b = createMemoryStore();
  await all(operationsOn({ a, b }).bulkCopy(pair, { concurrency }));
  expect(await content(b)).toEqual(await content(a));
  expect(await uploadsOf(b)).toEqual([]);
});

test.each([
  'theirs',
  '{}',
  '',
  JSON.stringify({ version: 1, to: 'memory://b/other', uploadId: 'u', putId: 'p' }),
])('an object at the target is kept, whatever its content: %p', async (body) => {
  const a = await filled({ 'd/big': big });
  const b = await filled({ [`d/${note}`]: body });
  const { bulkCopy } = operationsOn({ a, b });
  await all(bulkCopy(pair));
  await all(bulkCopy(pair));
  expect(Object.keys(await content(b))).toEqual([`d/${note}`, 'd/big']);
  expect((await content(b))[`d/${note}`]).toBe(body);
});

test('it is kept when the copy fails, and nothing else is', async () => {
  const a = await filled({ 'd/big': big });
  const b = await filled({ [`d/${note}`]: 'theirs' });
  await errorOf(operationsOn({ a, b: interrupting(b) }).bulkCopy(pair));
  expect(await content(b)).toEqual({ [`d/${note}`]: 'theirs' });
  expect(await uploadsOf(b)).toEqual([]);
});

test('it is kept when uploads are aborted', async () => {
  const b = await filled({ [`d/${note}`]: 'theirs' });
  await lastValueFrom(b.createUpload('d/big'));
  await all(operationsOn({ b }).abortUploads('memory://b/d/', { olderThan: 0 }));
  expect(await content(b)).toEqual({ [`d/${note}`]: 'theirs' });
});

test('it is kept when its object exists already', async () => {
  const a = await filled({ 'd/big': big });
  const b = await filled({ 'd/big': big, [`d/${note}`]: 'theirs' });
  await all(operationsOn({ a, b }).bulkCopy([{ from: 'memory://a/d/big', to: 'memory://b/d/big' }]));
  expect((await content(b))[`d/${note}`]).toBe('theirs');
});

test('a note of a finished upload is replaced', async () => {
  const a = await filled({ 'd/big': big });
  const b = createMemoryStore();
  await errorOf(operationsOn({ a, b: interrupting(b) }).bulkCopy(pair));
  expect(Object.keys(await content(b))).toEqual([`d/${note}`]);
  const { uploads } = await lastValueFrom(b.listUploads({ prefix: '' }));
  await lastValueFrom(b.abortUpload('d/big', uploads[0]!.uploadId));
  await errorOf(operationsOn({ a, b: interrupting(b) }).bulkCopy(pair));
  const [now] = (await lastValueFrom(b.listUploads({ prefix: '' }))).uploads;
  expect((await content(b))[`d/${note}`]).toContain(now!.uploadId);
  await all(operationsOn({ a, b }).bulkCopy(pair));
  expect(Object.keys(await content(b))).toEqual(['d/big']);
});

test('a note whose answer was lost is recognized', async () => {
  const a = await filled({ 'd/big': big });
  const b = createMemoryStore();
  const losing = decorate(b, (call: StoreCall, run) => {
    if (call.method === 'uploadPart') return throwError(() => new StoreError('Unavailable', 'Gone.'));
    if (call.method !== 'put' || !call.key.endsWith(note)) return run;
    run.subscribe();
    return throwError(() => new StoreError('Unavailable', 'No answer.'));
  });
  await errorOf(operationsOn({ a, b: losing }).bulkCopy(pair));
  expect(await uploadsOf(b)).toEqual(['d/big']);
  await all(operationsOn({ a, b }).bulkCopy(pair));
  expect(Object.keys(await content(b))).toEqual(['d/big']);
});
