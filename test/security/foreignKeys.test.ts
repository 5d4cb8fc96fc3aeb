/** Keys that would lead out of the target directory, or of the one that is read. */
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { throwError } from 'rxjs';
import { loadConfig } from '../../src/config/index.js';
import { createOperations, type PartlyFailed } from '../../src/fs/operations/index.js';
import { createFs } from '../../src/fs/promises/index.js';
import { createLocalStore, createStores, decorate, StoreError } from '../../src/entries/stores.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { all, bytes, content, errorOf, filled, MiB } from '../fs/support.js';

let outer: string;
let target: string;
beforeEach(async () => {
  outer = await mkdtemp(join(tmpdir(), 'millrace-slip-'));
  target = join(outer, 'target');
  await mkdir(target);
  await mkdir(join(outer, 'secret'));
  await writeFile(join(outer, 'secret/passwd'), 'theirs');
});
// A copy that fails aborts its requests; what the file system is doing at that moment still ends.
afterEach(() => rm(outer, { recursive: true, maxRetries: 10 }));

const operations = (a: ObjectStore): ReturnType<typeof createOperations> =>
  createOperations({
    config: loadConfig({ env: {}, file: false }),
    stores: createStores({ schemes: { memory: () => a } }),
  });

/** All files of a directory that are no store's own. */
async function files(directory: string): Promise<string[]> {
  const found = await readdir(directory, { recursive: true });
  const own = found.filter((path) => !path.split('/').some((name) => name === '.millrace'));
  const kinds = await Promise.all(own.map(async (path) => (await lstat(join(directory, path))).isFile()));
  return own.filter((_, i) => kinds[i]).sort();
}

const slips = [
  'd/../secret/passwd',
  'd/../../secret/passwd',
  'd/./x',
  'd//etc/passwd',
  'd/..',
  'd/a/../../secret/passwd',
];

test('no key is written outside of the directory that it is copied to', async () => {
  const a = await filled(Object.fromEntries(slips.map((key) => [key, 'mine'])));
  await all(operations(a).bulkCopy({ from: 'memory://a/d/', to: `file://${target}/` }));
  expect(await readdir(outer)).toEqual(['secret', 'target']);
  expect(await readdir(join(outer, 'secret'))).toEqual(['passwd']);
  expect(await readFile(join(outer, 'secret/passwd'), 'utf8')).toBe('theirs');
  // They are all there, and go back under the same keys.
  const b = await filled({});
  await all(
    createOperations({
      config: loadConfig({ env: {}, file: false }),
      stores: createStores({ schemes: { memory: () => b } }),
    }).bulkCopy({ from: `file://${target}/`, to: 'memory://b/d/' }),
  );
  expect(Object.keys(await content(b)).sort()).toEqual([...slips].sort());
});

test('a copy leaves nothing in a parent of its target', async () => {
  const a = await filled({ 'd/x': 'mine', 'd/big': bytes(20 * MiB) });
  const to = join(outer, 'new/deep');
  await all(operations(a).bulkCopy({ from: 'memory://a/d/', to: `file://${to}/` }));
  expect(await readdir(outer)).toEqual(['new', 'secret', 'target']);
  expect(await readdir(join(outer, 'new'))).toEqual(['deep']);
});

test('a copy whose parts fail leaves no file', async () => {
  const whole = await filled({ 'd/big': bytes(40 * MiB) });
  let gets = 0;
  const a = decorate(whole, (call, run) =>
    call.method === 'get' && ++gets > 2
      ? throwError(() => new StoreError('PermissionDenied', 'No.', { status: 403 }))
      : run,
  );
  const copy = operations(a).bulkCopy({ from: 'memory://a/d/', to: `file://${target}/` }, { resume: false });
  await errorOf(copy);
  expect(await files(target)).toEqual([]);
  expect(await readdir(join(target, '.millrace/uploads'))).toEqual([]);
  expect(await readdir(join(target, '.millrace/tmp'))).toEqual([]);
});

describe('a link in the target directory', () => {
  const copies = {
    copy: (a: ObjectStore, to: string) => operations(a).copy('memory://a/d/', to),
    bulkCopy: (a: ObjectStore, to: string) => operations(a).bulkCopy({ from: 'memory://a/d/', to }),
    'bulkCopy of a glob': (a: ObjectStore, to: string) =>
      operations(a).bulkCopy({ from: 'memory://a/d/**', to }),
    move: (a: ObjectStore, to: string) => operations(a).move('memory://a/d/', to),
  };

  test.each(Object.entries(copies))('does not lead a key out of it: %s', async (name, run) => {
    await symlink('../secret', join(target, 'link'));
    await mkdir(join(target, 'real'));
    await symlink('../../secret', join(target, 'real/deep'));
    const a = await filled({ 'd/a': '1', 'd/link/passwd': 'mine', 'd/real/deep/new/x': 'mine', 'd/z': '2' });
    const error = await errorOf(run(a, `file://${target}/`));
    expect(await readFile(join(outer, 'secret/passwd'), 'utf8')).toBe('theirs');
    expect(await readdir(join(outer, 'secret'))).toEqual(['passwd']);
    expect(Object.keys(await content(a))).toEqual(
      expect.arrayContaining(['d/link/passwd', 'd/real/deep/new/x']),
    );
    if (name === 'move') {
      expect(error).toMatchObject({ code: 'OutsideTarget' });
      return;
    }
    expect(
      (error as unknown as Pick<PartlyFailed, 'failures'>).failures.map(({ error: one }) => one),
    ).toEqual([
      expect.objectContaining({
        code: 'OutsideTarget',
        message: expect.stringContaining(`${target}/link`) as string,
      }),
      expect.objectContaining({ code: 'OutsideTarget' }),
    ]);
    expect(await readFile(join(target, 'a'), 'utf8')).toBe('1');
    expect(await readFile(join(target, 'z'), 'utf8')).toBe('2');
  });

  test('that leads to another place in it is followed', async () => {
    await mkdir(join(target, 'real'));
    await symlink('real', join(target, 'link'));
    const a = await filled({ 'd/link/x': '1' });
    await all(operations(a).copy('memory://a/d/', `file://${target}/`));
    expect(await readFile(join(target, 'real/x'), 'utf8')).toBe('1');
  });

  test('that names the target itself is followed', async () => {
    await symlink('target', join(outer, 'alias'));
    const a = await filled({ 'd/sub/x': '1' });
    await all(operations(a).copy('memory://a/d/', `file://${outer}/alias/`));
    expect(await readFile(join(target, 'sub/x'), 'utf8')).toBe('1');
  });

  test('in place of an object is replaced, not written through', async () => {
    await symlink('../secret/passwd', join(target, 'x'));
    const a = await filled({ 'd/x': 'mine' });
    await all(operations(a).copy('memory://a/d/', `file://${target}/`));
    expect(await readFile(join(outer, 'secret/passwd'), 'utf8')).toBe('theirs');
    expect((await lstat(join(target, 'x'))).isFile()).toBe(true);
  });
});

describe('readdir', () => {
  const keys = [
    'd/../x',
    'd/./x',
    'd/..',
    'd/.',
    'd//x',
    'd/a/../../x',
    'd/a/./',
    'd/a//',
    'd/.a',
    'd/..a',
    'd/...',
    'd/a/b',
  ];

  test.each([
    ['memory', () => filled(Object.fromEntries(keys.map((key) => [key, 'x'])), createMemoryStore())],
  ])('never has `.`, `..` or an empty name, whatever keys there are: %s', async (_, store) => {
    const a = await store();
    const fs = createFs({
      stores: createStores({ schemes: { memory: () => a } }),
      config: loadConfig({ env: {}, file: false }),
    });
    expect(await fs.readdir('memory://a/d')).toEqual(['...', '..a', '.a', 'a']);
    expect(await fs.readdir('memory://a/d', { recursive: true })).toEqual(['...', '..a', '.a', 'a', 'a/b']);
    const entries = await fs.readdir('memory://a/d', { recursive: true, withFileTypes: true });
    expect(entries.map(({ name }) => name)).toEqual(['...', '..a', '.a', 'a', 'b']);
    const opened: string[] = [];
    for await (const { name } of await fs.opendir('memory://a/d')) opened.push(name);
    expect(opened).toEqual(['...', '..a', '.a', 'a']);
  });
});

test('links are looked for in the directory in which a store really is', async () => {
  const file = (): ObjectStore => createLocalStore(target, { durable: false });
  const source = createMemoryStore();
  const stores = createStores({ schemes: { memory: () => source, file } });
  const moved = createOperations({ config: loadConfig({ env: {}, file: false }), stores });
  await symlink('../secret', join(target, 'link'));
  for (const key of ['a', 'a/', 'd/b']) await all(source.put(key, Buffer.from('mine')));
  await all(moved.copy('memory://x/', 'file:///nowhere/'));
  expect(await content(file())).toMatchObject({ a: 'mine', 'a/': 'mine', 'd/b': 'mine' });
  await all(source.put('link/passwd', Buffer.from('mine')));
  expect(await errorOf(moved.copy('memory://x/', 'file:///nowhere/'))).toMatchObject({
    failures: [{ error: { code: 'OutsideTarget' } }],
  });
  expect(await readFile(join(outer, 'secret/passwd'), 'utf8')).toBe('theirs');
});
