import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { nodeDisk, type Disk } from '../../../src/store/local/disk.js';
import { createLocalStore, type ListOptions, type ObjectStore } from '../../../src/entries/stores.js';
import { refusingDisk, type Refused } from '../refusingDisk.js';

/** Files of other programs that no object store can represent. */
describe('a file that is not an object', () => {
  let directory: string;
  let store: ObjectStore;
  const at = (name: string): string => join(directory, name);
  const list = async (options: ListOptions = {}): Promise<{ keys: string[]; unlisted: string[] }> => {
    const page = await lastValueFrom(store.list({ unlisted: 'report', ...options }));
    return {
      keys: [...page.objects.map(({ key }) => key), ...page.prefixes],
      unlisted: (page.unlisted ?? []).map(({ key, reason }) => `${reason} ${key}`),
    };
  };
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-unlisted-'));
    store = createLocalStore(directory, { durable: false });
    await mkdir(at('src/sub'), { recursive: true });
    await writeFile(at('src/good.txt'), 'good');
    await writeFile(at('src/sub/x'), 'x');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  test('is reported in its place, and fails a listing that does not ask for it', async () => {
    await symlink('nowhere', at('src/broken'));
    await symlink('self', at('src/self'));
    execFileSync('mkfifo', [at('src/pipe')]);
    await symlink('pipe', at('src/to-pipe'));
    const server = createServer().listen(at('src/socket'));
    await once(server, 'listening');
    await writeFile(Buffer.concat([Buffer.from(at('src/Z')), Buffer.from([0xfc]), Buffer.from('rich')]), 'x');
    await mkdir(Buffer.concat([Buffer.from(at('src/d')), Buffer.from([0xff])]));
    await writeFile(at('src/sub/.millrace'), 'x');
    try {
      expect(await list()).toEqual({
        keys: ['src/good.txt', 'src/sub/x'],
        unlisted: [
          'unreadable src/Z\ufffdrich',
          'unreadable src/broken',
          'unreadable src/d\ufffd/',
          'unreadable src/pipe',
          'unreadable src/self',
          'unreadable src/socket',
          'unreadable src/sub/.millrace',
          'unreadable src/to-pipe',
        ],
      });
      const { unlisted = [] } = await lastValueFrom(store.list({ unlisted: 'report' }));
      for (const { error } of unlisted)
        expect(error).toMatchObject({ code: 'NotSupported', retryable: false });
      expect(unlisted.map(({ error }) => error.message.replace(directory, ''))).toEqual([
        'The name /src/Z\\xfcrich is not UTF-8, and keys are Unicode text. Rename the file.',
        `/src/broken is a link to ${at('src/nowhere')}, which leads nowhere.`,
        'The name /src/d\\xff is not UTF-8, and keys are Unicode text. Rename the file.',
        '/src/pipe is a pipe, and only regular files are objects.',
        `/src/self is a link to ${at('src/self')}, which leads nowhere.`,
        '/src/socket is a socket, and only regular files are objects.',
        expect.stringContaining('/src/sub/.millrace has a name that the store keeps for itself'),
        '/src/to-pipe is a link to a pipe, and only regular files are objects.',
      ]);
      await expect(lastValueFrom(store.list({ prefix: 'src/' }))).rejects.toMatchObject({
        code: 'NotSupported',
      });
      expect(await lastValueFrom(store.list({ prefix: 'src/g' }))).toMatchObject({
        objects: [{ key: 'src/good.txt' }],
      });
      // Below a delimiter it is in a directory, which is all that is reported.
      expect(await list({ prefix: 'src/s', delimiter: '/' })).toEqual({
        keys: ['src/sub/'],
        unlisted: ['unreadable src/self', 'unreadable src/socket'],
      });
    } finally {
      server.close();
    }
  });

  test('is on pages of any size once, also if several names have one key', async () => {
    for (const byte of [0xfc, 0xfd, 0xfe])
      await writeFile(Buffer.concat([Buffer.from(at('src/Z')), Buffer.from([byte])]), 'x');
    await symlink('nowhere', at('src/a'));
    await symlink('nowhere', at('src/z'));
    for (const limit of [1, 2, 3, 10]) {
      const told: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await lastValueFrom(
          store.list({
            prefix: 'src/',
            limit,
            unlisted: 'report',
            ...(cursor === undefined ? {} : { cursor }),
          }),
        );
        told.push(...page.objects.map(({ key }) => key));
        told.push(
          ...(page.unlisted ?? []).map(({ error }) => error.message.replace(/^.*?src\/(\S+) .*/, '$1')),
        );
        cursor = page.cursor;
      } while (cursor !== undefined);
      expect(told.sort()).toEqual(['Z\\xfc', 'Z\\xfd', 'Z\\xfe', 'a', 'src/good.txt', 'src/sub/x', 'z']);
    }
  });

  test('a pipe is neither read nor replaced, and no other request takes it for missing', async () => {
    execFileSync('mkfifo', [at('src/pipe')]);
    const no = { code: 'NotSupported', message: expect.stringContaining('is a pipe') as string };
    await expect(lastValueFrom(store.head('src/pipe'))).rejects.toMatchObject(no);
    await expect(lastValueFrom(store.get('src/pipe'))).rejects.toMatchObject(no);
    await expect(lastValueFrom(store.copy('src/pipe', 'x'))).rejects.toMatchObject(no);
    expect(await lastValueFrom(store.delete(['src/pipe']))).toMatchObject([{ error: no }]);
    await expect(lastValueFrom(store.put('src/pipe', Buffer.from('x')))).rejects.toMatchObject({
      code: 'InvalidRequest',
    });
    expect((await lstat(at('src/pipe'))).isFIFO()).toBe(true);
  });

  test('a pipe that has just replaced a file is not waited for', async () => {
    const file = at('src/good.txt');
    const real = nodeDisk(false);
    let swapped = false;
    const disk: Disk = {
      ...real,
      open: async (path) => {
        if (!swapped) {
          swapped = true;
          await rm(file);
          execFileSync('mkfifo', [file]);
        }
        return real.open(path);
      },
    };
    await expect(
      lastValueFrom(createLocalStore(directory, { disk }).get('src/good.txt')),
    ).rejects.toMatchObject({ code: 'NotSupported' });
  });

  describe('links', () => {
    beforeEach(async () => {
      await mkdir(at('other'));
      await writeFile(at('other/y'), 'y');
      await symlink('good.txt', at('src/file'));
      await symlink('../other', at('src/dir'));
    });

    test('are followed, to files and directories', async () => {
      expect(await list({ prefix: 'src/' })).toEqual({
        keys: ['src/dir/y', 'src/file', 'src/good.txt', 'src/sub/x'],
        unlisted: [],
      });
      const { chunks } = await lastValueFrom(store.get('src/dir/y'));
      expect(Buffer.concat(chunks).toString()).toBe('y');
    });

    test.each([
      ['files', ['src/file', 'src/good.txt', 'src/sub/x'], ['link src/dir/']],
      ['none', ['src/good.txt', 'src/sub/x'], ['link src/dir/', 'link src/file']],
    ] as const)('according to `links`: %s', async (links, keys, unlisted) => {
      expect(await list({ prefix: 'src/', links })).toEqual({ keys, unlisted });
      // Those in the prefix are.
      expect(await list({ prefix: 'src/dir/', links })).toEqual({ keys: ['src/dir/y'], unlisted: [] });
    });

    test('that form a cycle are reported, not followed', async () => {
      await symlink('..', at('src/sub/loop'));
      await symlink('../src', at('other/back'));
      const circles = ['unreadable src/dir/back/', 'unreadable src/sub/loop/'];
      expect((await list({ prefix: 'src/' })).unlisted).toEqual(circles);
      expect((await list({ prefix: 'src/sub/loop/sub/' })).unlisted).toEqual([
        'unreadable src/sub/loop/sub/loop/',
      ]);
    });

    test('are removed themselves, and replaced by what is written to their name', async () => {
      await lastValueFrom(store.delete(['src/file']));
      expect(await readFile(at('src/good.txt'), 'utf8')).toBe('good');
      await symlink('nowhere', at('src/broken'));
      await symlink('good.txt', at('src/file'));
      // The second is broken once the first is removed.
      expect(await lastValueFrom(store.delete(['src/good.txt', 'src/file']))).toEqual([]);
      await expect(lstat(at('src/file'))).rejects.toMatchObject({ code: 'ENOENT' });
      await lastValueFrom(store.put('src/broken', Buffer.from('new')));
      expect((await lstat(at('src/broken'))).isFile()).toBe(true);
    });

    test('to a directory stay when an object of that name is written', async () => {
      await lastValueFrom(store.put('src/dir', Buffer.from('object')));
      await lastValueFrom(store.put('src/dir', Buffer.from('again')));
      await lastValueFrom(store.put('src/dir/z', Buffer.from('z')));
      expect((await lstat(at('src/dir'))).isSymbolicLink()).toBe(true);
      expect(await readFile(at('other/z'), 'utf8')).toBe('z');
      expect((await list({ prefix: 'src/dir' })).keys).toEqual(['src/dir', 'src/dir/y', 'src/dir/z']);
    });

    test('that lead nowhere do not block keys below their name, and reading them explains why', async () => {
      await symlink('nowhere', at('src/broken'));
      await expect(lastValueFrom(store.get('src/broken'))).rejects.toMatchObject({
        code: 'NotFound',
        message: expect.stringContaining('leads nowhere') as string,
      });
      await expect(lastValueFrom(store.head('src/dir'))).rejects.toMatchObject({
        code: 'NotFound',
        message: expect.not.stringContaining('leads nowhere') as string,
      });
      await lastValueFrom(store.put('src/broken/x', Buffer.from('x')));
      expect((await lstat(at('src/broken'))).isSymbolicLink()).toBe(true);
      expect((await list({ prefix: 'src/broken/' })).keys).toEqual(['src/broken/x']);
    });
  });

  describe('without permission', () => {
    const refusing = (...refused: Refused[]): ObjectStore =>
      createLocalStore(directory, { disk: refusingDisk(...refused) });

    test('a directory is reported, and the others are listed', async () => {
      store = refusing(['readdir', '/src/sub']);
      expect(await list({ prefix: 'src/' })).toEqual({
        keys: ['src/good.txt'],
        unlisted: ['unreadable src/sub/'],
      });
      const { unlisted = [] } = await lastValueFrom(store.list({ unlisted: 'report' }));
      expect(unlisted).toMatchObject([{ error: { code: 'PermissionDenied' } }]);
      for (const options of [{ prefix: 'src/sub/' }, { prefix: 'src/sub/', startAfter: 'src/sub/k' }])
        await expect(lastValueFrom(store.list(options))).rejects.toMatchObject({ code: 'PermissionDenied' });
      expect(await list({ prefix: 'src/', delimiter: '/' })).toEqual({
        keys: ['src/good.txt', 'src/sub/'],
        unlisted: [],
      });
    });

    test('nor is the root', async () => {
      store = refusing(['readdir', directory]);
      await expect(lastValueFrom(store.list({}))).rejects.toMatchObject({ code: 'PermissionDenied' });
      expect(await list()).toEqual({ keys: [], unlisted: ['unreadable '] });
    });

    test('a file that cannot be examined is reported, and the others are listed', async () => {
      store = refusing(['stat', '/src/sub/x']);
      expect(await list({ prefix: 'src/' })).toEqual({
        keys: ['src/good.txt'],
        unlisted: ['unreadable src/sub/x'],
      });
      store = refusing(['stat', '/src/sub']);
      expect(await list({ prefix: 'src/sub/' })).toEqual({ keys: [], unlisted: ['unreadable src/sub/'] });
    });

    test('an unreadable file is listed, and reading it says why', async () => {
      store = refusing(['open', '/src/good.txt']);
      expect((await list({ prefix: 'src/' })).keys).toEqual(['src/good.txt', 'src/sub/x']);
      await expect(lastValueFrom(store.get('src/good.txt'))).rejects.toMatchObject({
        code: 'PermissionDenied',
        retryable: false,
      });
    });
  });
});
