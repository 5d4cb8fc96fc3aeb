/** Keys are foreign input: no two of them share a file, and none reaches anything outside its store. */
import fc from 'fast-check';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom, toArray } from 'rxjs';
import { createLocalStore, listAll, type ObjectStore } from '../../src/entries/stores.js';
import { effort } from '../support/effort.js';

const parts = [
  ...['', '.', '..', '\0', 'a\0', '%00', '%2F', '%2e%2e', '%o', '%d', '%+', 'x%o', 'x%d'],
  ...[
    '.millrace',
    '.MILLRACE',
    '.millrace-keys',
    '.millrace-Keys',
    'tmp',
    'meta',
    'locks',
    'uploads',
    'info',
  ],
  // Alike to file systems that fold case or normalize.
  ...['a', 'A', 'ß', 'ss', 'SS', '\u00e9', 'e\u0301', '\u212b', '\u00c5', 'i', '\u0130', '\ufb01', 'fi'],
  ...['a'.repeat(240), 'a'.repeat(255), 'a'.repeat(256), 'ü'.repeat(200), '%'.repeat(200)],
  ...['..', '/victim', '.millrace', '%o', '%d', '%+'].map((end) => 'a'.repeat(240) + end),
  'victim',
];
const key = fc
  .array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 })
  .map((names) => names.join('/'))
  .filter((text) => text !== '' && Buffer.byteLength(text) <= 1024);
const step = fc.record({
  key,
  verb: fc.constantFrom('put', 'put', 'upload', 'delete', 'abort', 'reopen' as const),
});

const answer = lastValueFrom;
const read = async (store: ObjectStore, name: string): Promise<string> =>
  Buffer.concat((await answer(store.get(name))).chunks).toString();

/** Every file below a directory, and what it holds. */
async function tree(directory: string, except?: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (path === except) continue;
    if ((await lstat(path)).isDirectory()) Object.assign(found, { [path]: '/' }, await tree(path, except));
    else found[path] = await readFile(path, 'utf8');
  }
  return found;
}

let outer: string;
let root: string;
let store: ObjectStore;
const open = (): ObjectStore => createLocalStore(root, { durable: false, minimumPartSize: 1 });

beforeEach(async () => {
  outer = await mkdtemp(join(tmpdir(), 'millrace-names-'));
  root = join(outer, 'a/root');
  await mkdir(root, { recursive: true });
  for (const path of ['victim', 'a/victim', 'a/.millrace', '.millrace'])
    await writeFile(join(outer, path), path);
  store = open();
});
afterEach(() => rm(outer, { recursive: true }));

async function upload(name: string, body: string): Promise<void> {
  const { uploadId } = await answer(store.createUpload(name));
  const sent = Array.from(body).map((char, i) =>
    answer(store.uploadPart(name, uploadId, i + 1, Buffer.from(char))),
  );
  await answer(store.completeUpload(name, uploadId, await Promise.all(sent)));
}

async function aborted(name: string): Promise<void> {
  const { uploadId } = await answer(store.createUpload(name));
  await answer(store.uploadPart(name, uploadId, 1, Buffer.from('x')));
  const all = (await answer(store.listUploads({ prefix: '' }))).uploads;
  expect(all.map((one) => [one.key, one.uploadId])).toEqual([[name, uploadId]]);
  await answer(store.abortUpload(name, uploadId));
}

test('under any operations, each key is its own object, and nothing outside changes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const outside = await tree(outer, root);
      const model = new Map<string, string>();
      for (const [i, { key: name, verb }] of steps.entries()) {
        const body = `${i}: ${name.slice(0, 20)}`;
        if (verb === 'put') await answer(store.put(name, Buffer.from(body)));
        else if (verb === 'upload') await upload(name, `${i}-`);
        else if (verb === 'abort') await aborted(name);
        else if (verb === 'delete') expect(await answer(store.delete([name]))).toEqual([]);
        // What a process removes is what it finds when it first writes.
        else store = open();
        if (verb === 'put') model.set(name, body);
        else if (verb === 'upload') model.set(name, `${i}-`);
        else if (verb === 'delete') model.delete(name);
      }
      const listed = (await answer(listAll(store, '').pipe(toArray()))).flat().map((one) => one.key);
      const sorted = [...model.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(listed).toEqual(sorted);
      for (const [name, body] of model) expect(await read(store, name)).toBe(body);
      expect((await answer(store.listUploads({ prefix: '' }))).uploads).toEqual([]);
      expect(await tree(outer, root)).toEqual(outside);
      await rm(root, { recursive: true });
      await mkdir(root);
      store = open();
    }),
    { numRuns: effort(20, 60) },
  );
});

test.each([
  [`${'a'.repeat(240)}../victim`],
  [`${'a'.repeat(480)}../../../../victim`],
  [`${'a'.repeat(240)}.millrace/tmp`],
  [`${'a'.repeat(240)}/.millrace/tmp`],
  ['../victim'],
  ['../../victim'],
  ['d/../victim'],
  ['./victim'],
  ['/victim'],
  ['.millrace/tmp'],
  ['.millrace/meta/x'],
  ['.millrace-keys/victim%o'],
])('%p reaches neither another object nor a file outside, and no clean-up takes it', async (name) => {
  const outside = await tree(outer, root);
  await answer(store.put('victim', Buffer.from('theirs')));
  await answer(store.put('d/victim', Buffer.from('theirs')));
  await answer(store.put(name, Buffer.from('mine')));
  await upload(`${name}-2`, 'mine');
  store = open();
  await answer(store.put('other', Buffer.from('x')));
  await answer(store.listUploads({ prefix: '' }));
  expect(await read(store, 'victim')).toBe('theirs');
  expect(await read(store, 'd/victim')).toBe('theirs');
  expect(await read(store, name)).toBe('mine');
  expect(await read(store, `${name}-2`)).toBe('mine');
  await answer(store.delete([name]));
  expect(await read(store, 'victim')).toBe('theirs');
  expect(await tree(outer, root)).toEqual(outside);
});
