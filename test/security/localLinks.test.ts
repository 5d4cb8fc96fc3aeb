/** Links that appear in a local store's directories while it is used. */
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom, type Observable } from 'rxjs';
import { createLocalStore, type ObjectStore } from '../../src/entries/stores.js';

let outer: string;
let root: string;
let secret: string;
let store: ObjectStore;

beforeEach(async () => {
  outer = await mkdtemp(join(tmpdir(), 'millrace-links-'));
  root = join(outer, 'lake');
  secret = join(outer, 'secret');
  await mkdir(root);
  await mkdir(secret);
  await writeFile(join(secret, 'passwd'), 'theirs');
  store = createLocalStore(root, { minimumPartSize: 1 });
});

afterEach(async () => {
  // Nothing was written through a link, and nothing removed.
  expect(await readdir(secret)).toEqual(['passwd']);
  expect(await readFile(join(secret, 'passwd'), 'utf8')).toBe('theirs');
  await rm(outer, { recursive: true });
});

const asked = <T>(request: Observable<T>): Promise<T> => lastValueFrom(request);
const put = (key: string, text = 'mine'): Promise<unknown> => asked(store.put(key, Buffer.from(text)));
const body = async (key: string): Promise<string> => (await asked(store.get(key))).chunks.join('');

/** A link to the secret directory in place of what is at a path. */
async function swap(path: string): Promise<void> {
  await rename(path, join(outer, 'moved'));
  await symlink(secret, path);
}

/** Every request that changes something, on `d/s/a` and beside it. */
const changes: readonly [string, () => Promise<unknown>][] = [
  ['a put', () => put('d/s/a')],
  ['a put that creates', () => asked(store.put('d/s/new', Buffer.from('x'), { ifNoneMatch: '*' }))],
  ['a put into a directory that is not there', () => put('d/s/t/u/a')],
  ['a copy', () => asked(store.copy('x', 'd/s/b'))],
  ['an upload', () => asked(store.createUpload('d/s/a'))],
];

describe.each(['d', 'd/s', 'd/s/.millrace'])('after %s has become a link,', (swapped) => {
  beforeEach(async () => {
    await put('x');
    await put('d/s/a');
    await swap(join(root, swapped));
  });

  test.each(changes.filter(([name]) => swapped !== 'd/s/.millrace' || !name.includes('not there')))(
    '%s is refused',
    async (_, change) => {
      await expect(change()).rejects.toMatchObject({
        code: 'InvalidRequest',
        retryable: false,
        message: expect.stringMatching(
          /leads to .*secret.* a link was put there while it was in use/,
        ) as string,
      });
      // Nor is it a new beginning for the next one.
      await expect(change()).rejects.toMatchObject({ code: 'InvalidRequest' });
    },
  );
});

test('no object behind a later link is removed', async () => {
  await put('d/s/passwd');
  await swap(join(root, 'd/s'));
  expect(await asked(store.delete(['d/s/passwd']))).toMatchObject([
    { key: 'd/s/passwd', error: { code: 'InvalidRequest' } },
  ]);
});

test('no part is written, and nothing completed or aborted, in an upload that has become a link', async () => {
  const { uploadId } = await asked(store.createUpload('d/a'));
  const part = await asked(store.uploadPart('d/a', uploadId, 1, Buffer.from('mine')));
  await rm(join(secret, 'passwd'));
  await rename(join(root, 'd/.millrace/uploads', uploadId), join(secret, 'upload'));
  await symlink(join(secret, 'upload'), join(root, 'd/.millrace/uploads', uploadId));
  const before = await readdir(join(secret, 'upload'));
  for (const request of [
    store.uploadPart('d/a', uploadId, 2, Buffer.from('x')),
    store.completeUpload('d/a', uploadId, [part]),
  ] as Observable<unknown>[])
    await expect(asked(request)).rejects.toMatchObject({ code: 'NotFound' });
  expect(await readdir(join(secret, 'upload'))).toEqual(before);
  await rm(join(secret, 'upload'), { recursive: true });
  await writeFile(join(secret, 'passwd'), 'theirs');
});

test.each([1, 2])(
  'a part that is a link to a file does not become part of an object (of %i)',
  async (parts) => {
    const { uploadId } = await asked(store.createUpload('a'));
    const bodies = ['theirs', 'others'].slice(0, parts);
    const sent = [];
    for (const [i, text] of bodies.entries())
      sent.push(await asked(store.uploadPart('a', uploadId, i + 1, Buffer.from(text))));
    const upload = join(root, '.millrace/uploads', uploadId);
    const [file = ''] = (await readdir(upload)).filter((name) => name.startsWith('part-1-'));
    await rm(join(upload, file));
    await symlink(join(secret, 'passwd'), join(upload, file));
    await expect(asked(store.completeUpload('a', uploadId, sent))).rejects.toMatchObject({
      code: 'InvalidPart',
    });
    await expect(asked(store.head('a'))).rejects.toMatchObject({ code: 'NotFound' });
  },
);

test('a link in place of metadata is not read', async () => {
  await asked(store.put('a', Buffer.from('x'), { metadata: { m: 'mine' } }));
  const meta = join(root, '.millrace/meta');
  const [sidecar = ''] = await readdir(meta);
  await rename(join(meta, sidecar), join(outer, 'sidecar'));
  await symlink(join(outer, 'sidecar'), join(meta, sidecar));
  expect((await asked(store.head('a'))).metadata).toEqual({});
});

test.each(['.millrace', '.millrace/tmp', '.millrace/meta', '.millrace/locks', '.millrace/uploads'])(
  'a directory whose %s was a link before is not written to',
  async (name) => {
    await mkdir(join(root, 'd', name, '..'), { recursive: true });
    await symlink(secret, join(root, 'd', name));
    await expect(put('d/a')).rejects.toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringContaining(`${join(root, 'd', name)} is a link`) as string,
    });
    await rm(join(root, 'd', name));
    await put('d/a');
    expect(await body('d/a')).toBe('mine');
  },
);

test('a lock that is a link is not taken', async () => {
  await put('a');
  // Replacing takes the lock.
  await put('a');
  const locks = join(root, '.millrace/locks');
  const [stripe = ''] = await readdir(locks);
  await rm(join(locks, stripe), { recursive: true });
  await symlink(secret, join(locks, stripe));
  await expect(put('a')).rejects.toMatchObject({ code: 'InvalidRequest' });
});

test('a file of a temporary name that has become a link keeps its time', async () => {
  const passwd = join(secret, 'passwd');
  const before = (await stat(passwd)).mtimeMs;
  const disk = (await import('../../src/store/local/disk.js')).nodeDisk(false);
  await symlink(passwd, join(root, 'link'));
  await disk.touch(join(root, 'link'), 1_000_000);
  expect((await stat(passwd)).mtimeMs).toBe(before);
});

describe('links in the layout of directories', () => {
  test('are followed, wherever they are', async () => {
    await mkdir(join(outer, 'other/deep'), { recursive: true });
    await symlink(join(outer, 'other'), join(root, 'l'));
    await put('l/deep/a');
    await put('l/deep/new/b');
    expect(await readFile(join(outer, 'other/deep/a'), 'utf8')).toBe('mine');
    expect(await readFile(join(outer, 'other/deep/new/b'), 'utf8')).toBe('mine');
    expect(await readlink(join(root, 'l'))).toBe(join(outer, 'other'));
  });

  test('may lead elsewhere for the next store', async () => {
    await mkdir(join(outer, 'one'));
    await mkdir(join(outer, 'two'));
    await symlink(join(outer, 'one'), join(root, 'l'));
    await put('l/a');
    await rm(join(root, 'l'));
    await symlink(join(outer, 'two'), join(root, 'l'));
    await expect(put('l/a')).rejects.toMatchObject({ code: 'InvalidRequest' });
    store = createLocalStore(root);
    await put('l/a', 'new');
    expect(await readFile(join(outer, 'two/a'), 'utf8')).toBe('new');
  });

  test('a directory that is removed and created again is the same one', async () => {
    await put('d/s/a');
    await rm(join(root, 'd'), { recursive: true });
    await put('d/s/a').catch(() => put('d/s/a'));
    expect(await body('d/s/a')).toBe('mine');
  });
});
