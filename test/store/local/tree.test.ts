import { mkdir, mkdtemp, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { createLocalStore } from '../../../src/entries/stores.js';
import { nodeDisk, type Disk } from '../../../src/store/local/disk.js';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-tree-'));
});

afterEach(() => rm(root, { recursive: true }));

/** A disk, and the calls of it that are made with a path. */
function countingDisk(before: (name: string, path: string) => Promise<unknown> = () => Promise.resolve()): {
  readonly disk: Disk;
  readonly calls: string[];
} {
  const calls: string[] = [];
  const disk = new Proxy(nodeDisk(false), {
    get: (target, name: keyof Disk) => {
      const step = target[name] as (...args: unknown[]) => unknown;
      if (typeof step !== 'function' || name === 'alive') return step;
      return async (...args: unknown[]) => {
        calls.push(name);
        await before(name, String(args[0]));
        return step.apply(target, args);
      };
    },
  });
  return { disk, calls };
}

const put = (directory: string, key: string, disk: Disk) =>
  lastValueFrom(createLocalStore(directory, { disk }).put(key, Buffer.from('x')));

const deep = (depth: number, name = 'd'): string => `${`${name}/`.repeat(depth)}a`;

/** Calls of a put, and those of them that walk a whole path. */
async function costOf(key: string): Promise<{ readonly all: number; readonly paths: number }> {
  const { disk, calls } = countingDisk();
  await put(root, key, disk);
  return { all: calls.length, paths: calls.filter((name) => name === 'realpath').length };
}

describe.each([
  ['names of files', 'd'],
  ['names that are no files', '.millrace'],
])('a put into a deep directory, with %s,', (_, name) => {
  test('takes as many calls more for each level, and resolves as few paths as a shallow one', async () => {
    const shallow = await costOf(deep(10, name));
    await rm(root, { recursive: true });
    await mkdir(root);
    const middle = await costOf(deep(20, name));
    await rm(root, { recursive: true });
    await mkdir(root);
    const deepest = await costOf(deep(30, name));
    expect(deepest.all - middle.all).toBeLessThanOrEqual(middle.all - shallow.all);
    expect(deepest.paths).toBe(shallow.paths);
    expect(deepest.paths).toBeLessThan(10);
  });

  test('that is there already, from a new process, resolves as few', async () => {
    await costOf(deep(30, name));
    expect((await costOf(deep(30, name))).paths).toBeLessThan(10);
  });
});

test.each([3, 4, 5, 6])(
  'a directory that becomes a link while those below it are created is noticed (at level %i)',
  async (level) => {
    const [lake, elsewhere] = [join(root, 'lake'), join(root, 'elsewhere')];
    await mkdir(lake);
    // What leads to the next directory is there, too, so that it could be created.
    await mkdir(join(elsewhere, 'd/'.repeat(level - 3)), { recursive: true });
    const next = join(lake, 'd/'.repeat(level)).replace(/\/$/, '');
    let swapped = false;
    const { disk } = countingDisk(async (name, path) => {
      if (swapped || name !== 'mkdir' || path !== next) return;
      swapped = true;
      await rename(join(lake, 'd/d'), join(root, 'moved'));
      await symlink(elsewhere, join(lake, 'd/d'));
    });
    await expect(put(lake, deep(8), disk)).rejects.toMatchObject({ code: 'InvalidRequest' });
    expect(swapped).toBe(true);
    expect(await readdir(join(elsewhere, 'd/'.repeat(6)))).toEqual([]);
  },
);

test('the root of the file system can be a store', async () => {
  const store = createLocalStore('/', { disk: nodeDisk(false) });
  for (const key of ['d/a', 'd/e/a', 'f/a'])
    await lastValueFrom(store.put(`${root.slice(1)}/${key}`, Buffer.from('x')));
  expect((await stat(join(root, 'd/e/a'))).isFile()).toBe(true);
});
