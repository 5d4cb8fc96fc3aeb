/** Whatever others write into a local store's own directories, errors are typed. */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom, type Observable } from 'rxjs';
import { createLocalStore, type ObjectStore } from '../../src/entries/stores.js';

let root: string;
let store: ObjectStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-'));
  store = createLocalStore(root);
});

afterEach(() => rm(root, { recursive: true, force: true }));

const infos = [
  '',
  '{',
  'null',
  '1',
  '[]',
  '{}',
  '{"name":1,"initiated":1}',
  '{"name":"../../x","initiated":1}',
  '{"name":"a","initiated":"soon"}',
  '{"name":"a","initiated":1,"metadata":[]}',
  '{"name":"a","initiated":1,"metadata":{"a":{}}}',
  '{"name":"a","initiated":1,"content":null}',
];

test.each(infos)('an upload described by %s is not listed', async (info) => {
  const { uploadId } = await lastValueFrom(store.createUpload('a'));
  const uploads = join(root, '.millrace', 'uploads');
  await writeFile(join(uploads, uploadId, 'info'), info);
  await mkdir(join(uploads, 'empty'));
  expect(await lastValueFrom(store.listUploads({ prefix: '' }))).toEqual({ uploads: [] });
  await expect(lastValueFrom(store.uploadPart('a', uploadId, 1, Buffer.from('x')))).rejects.toMatchObject({
    code: 'NotFound',
  });
  await expect(
    lastValueFrom(store.completeUpload('a', uploadId, [{ number: 1, etag: 'e', size: 1 }])),
  ).rejects.toMatchObject({ code: 'NotFound' });
});

test.each([
  '',
  'null',
  '1',
  '{}',
  '{"etag":1}',
  '{"etag":"e","metadata":"x"}',
  '{"etag":"e","content":{"a":1}}',
])('metadata that is %s is damaged', async (sidecar) => {
  await lastValueFrom(store.put('a', Buffer.from('x'), { metadata: { m: 'v' } }));
  const meta = join(root, '.millrace', 'meta');
  const files = (await readdir(meta, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  expect(files).toHaveLength(1);
  await writeFile(join(files[0]!.parentPath, files[0]!.name), sidecar);
  const requests: Observable<unknown>[] = [store.head('a'), store.get('a')];
  for (const request of requests)
    await expect(lastValueFrom(request)).rejects.toMatchObject({ code: 'Integrity' });
});

describe('among the marks of a lock,', () => {
  const lockOf = async (): Promise<string> => {
    // Replacing takes the lock.
    for (const body of ['0', '1']) await lastValueFrom(store.put('a', Buffer.from(body)));
    const locks = join(root, '.millrace', 'locks');
    const [stripe = ''] = await readdir(locks);
    return join(locks, stripe);
  };

  test.each(['note', '.DS_Store', 'NaN', '7~', 'x.free', '.free', '-1', '1e3', '9'.repeat(20), 'Infinity'])(
    'a file %s of another program does not hold it, and stays',
    async (name) => {
      const lock = await lockOf();
      await writeFile(join(lock, name), '');
      await lastValueFrom(store.put('a', Buffer.from('2')));
      await lastValueFrom(store.put('a', Buffer.from('3')));
      expect((await lastValueFrom(store.get('a'))).chunks.join('')).toBe('3');
      const marks = await readdir(lock);
      expect(marks).toContain(name);
      expect(marks.filter((mark) => mark !== name && !/^\d+\.free$/.test(mark))).toEqual([]);
    },
  );

  test('a number that is not a link does not hold it', async () => {
    const lock = await lockOf();
    await writeFile(join(lock, '5'), '');
    await lastValueFrom(store.put('a', Buffer.from('2')));
    expect(await readdir(lock)).toContain('6.free');
  });

  test('nor does the mark of a dead process among them', async () => {
    const lock = await lockOf();
    await symlink('999999999.0.dead', join(lock, '5'));
    await writeFile(join(lock, 'note'), '');
    await lastValueFrom(store.put('a', Buffer.from('2')));
    expect(await readdir(lock)).toContain('6.free');
  });

  test('a file in place of the lock is reported', async () => {
    const lock = await lockOf();
    await rm(lock, { recursive: true });
    await writeFile(lock, '');
    await expect(lastValueFrom(store.put('a', Buffer.from('2')))).rejects.toMatchObject({
      code: 'InvalidRequest',
      message: `${lock} is not a directory: another program has put it where this store keeps its locks. Remove it.`,
    });
  });
});
