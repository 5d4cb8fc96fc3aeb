import { once } from 'node:events';
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { nodeDisk, type Disk } from '../../../src/store/local/disk.js';
import { createLocalStore } from '../../../src/store/local/index.js';

const refused = {
  code: 'InvalidRequest',
  message: expect.stringContaining('is not a regular file') as string,
};
const body = Buffer.from('x');

describe('special files are not replaced', () => {
  let directory: string;
  let server: Server | undefined;
  const socket = async (): Promise<void> => {
    server = createServer().listen(join(directory, 'socket'));
    await once(server, 'listening');
  };
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-local-'));
  });
  afterEach(async () => {
    server?.close();
    server = undefined;
    await rm(directory, { recursive: true });
  });

  test('a socket that existed before', async () => {
    await socket();
    const store = createLocalStore(directory);
    await expect(lastValueFrom(store.put('socket', body))).rejects.toMatchObject(refused);
    await expect(lastValueFrom(store.createUpload('socket'))).rejects.toMatchObject(refused);
    expect((await lstat(join(directory, 'socket'))).isSocket()).toBe(true);
    expect(await readdir(directory)).toEqual(['socket']);
  });

  test('a socket that was created later', async () => {
    const store = createLocalStore(directory);
    await lastValueFrom(store.put('file', body));
    await socket();
    await expect(lastValueFrom(store.put('socket', body))).rejects.toMatchObject(refused);
    expect((await lstat(join(directory, 'socket'))).isSocket()).toBe(true);
  });

  // Names such as /dev/stdout are links to other files. The disk does nothing, as tests may run as root.
  test('anything in /dev', async () => {
    const touched: string[] = [];
    const never = (path: string): Promise<never> => {
      touched.push(path);
      return Promise.reject(new Error('touched'));
    };
    const disk: Disk = {
      ...nodeDisk(false),
      mkdir: never,
      create: never,
      concat: never,
      touch: never,
      link: never,
      rename: never,
      unlink: never,
      removeTree: never,
      mark: never,
    };
    for (const [root, key] of [
      ['/', 'dev/null'],
      ['/dev', 'stdout'],
      ['/dev', 'no-such-device'],
    ] as const)
      await expect(lastValueFrom(createLocalStore(root, { disk }).put(key, body))).rejects.toMatchObject(
        refused,
      );
    expect(touched).toEqual([]);
  });
});
