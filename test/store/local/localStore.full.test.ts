import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom, type Observable } from 'rxjs';
import { nodeDisk, type Disk } from '../../../src/store/local/disk.js';
import { createLocalStore } from '../../../src/store/local/index.js';
import type { ObjectStore, UploadedPart } from '../../../src/store/objectStore.js';

const answer = <T>(request: Observable<T>): Promise<T> => lastValueFrom(request);
const takesRoom = ['mkdir', 'create', 'write', 'concat', 'link', 'mark'];

interface FillingDisk {
  readonly disk: Disk;
  /** From the n-th step that takes space, the disk is full. */
  fillAt(n: number): void;
  free(): void;
  /** Steps since `fillAt` that found the disk full. */
  refused(): number;
}

function fillingDisk(): FillingDisk {
  let left = Infinity;
  let refused = 0;
  const full = (): Error => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  const disk = new Proxy(nodeDisk(false), {
    get(target, name: keyof Disk) {
      if (!takesRoom.includes(name)) return target[name];
      const step = target[name] as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        left -= 1;
        if (left > 0) return step(...args);
        refused += 1;
        // What was written before the disk was full stays.
        if (name === 'create' || name === 'write')
          await step(args[0], Buffer.from(String(args[1])).subarray(0, 3));
        if (name === 'concat') await step(args[0], (args[1] as string[]).slice(0, 1));
        throw full();
      };
    },
  });
  return {
    disk,
    fillAt: (n) => {
      left = n;
      refused = 0;
    },
    free: () => (left = Infinity),
    refused: () => refused,
  };
}

/** What the store has beside the objects of `d/`. */
async function leftIn(directory: string): Promise<Record<string, string[]>> {
  const state = join(directory, 'd/.millrace');
  const found: Record<string, string[]> = {};
  for (const name of ['tmp', 'uploads', 'meta']) found[name] = await readdir(join(state, name));
  return found;
}

/** Runs `work` with a disk that is full from its n-th step on, for every n, and `check` after each failure. */
async function everywhere(
  prepare: (store: ObjectStore) => Promise<unknown>,
  work: (store: ObjectStore, prepared: unknown) => Promise<unknown>,
  check: (store: ObjectStore, prepared: unknown, before: Record<string, string[]>) => Promise<void>,
): Promise<number> {
  for (let n = 1; ; n += 1) {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-full-'));
    try {
      const { disk, fillAt, free, refused } = fillingDisk();
      const store = createLocalStore(directory, { durable: false, minimumPartSize: 1, disk });
      await answer(store.put('d/other', Buffer.from('x')));
      const prepared = await prepare(store);
      const before = await leftIn(directory);
      fillAt(n);
      const error: unknown = await work(store, prepared).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      free();
      if (refused() === 0) {
        expect(error).toBeUndefined();
        return n - 1;
      }
      expect(error).toMatchObject({ code: 'Unavailable', serverCode: 'ENOSPC' });
      expect(await leftIn(directory)).toEqual(before);
      await check(store, prepared, before);
    } finally {
      await rm(directory, { recursive: true });
    }
  }
}

const body = Buffer.from('a new body');
const read = async (store: ObjectStore, key: string): Promise<string> =>
  Buffer.concat((await answer(store.get(key))).chunks).toString();
const nothing = (): Promise<void> => Promise.resolve();

describe('a disk that is full at any step leaves nothing behind', () => {
  test('of a put, and the next one works', async () => {
    const failures = await everywhere(
      (store) => answer(store.put('d/a', Buffer.from('old'), { metadata: { by: 'me' } })),
      (store) => answer(store.put('d/a', body)),
      async (store) => {
        expect(await read(store, 'd/a')).toBe('old');
        await answer(store.put('d/a', body));
        expect(await read(store, 'd/a')).toBe('a new body');
      },
    );
    expect(failures).toBeGreaterThan(3);
  });

  test('of a create, and the next one works', async () => {
    const failures = await everywhere(
      nothing,
      (store) => answer(store.put('d/a', body, { ifNoneMatch: '*' })),
      async (store) => {
        await expect(read(store, 'd/a')).rejects.toMatchObject({ code: 'NotFound' });
        await answer(store.put('d/a', body, { ifNoneMatch: '*' }));
      },
    );
    expect(failures).toBeGreaterThan(2);
  });

  test('of an upload that could not be created', async () => {
    const failures = await everywhere(
      nothing,
      (store) => answer(store.createUpload('d/a', { metadata: { by: 'me' } })),
      async (store) => {
        expect((await answer(store.listUploads({ prefix: '' }))).uploads).toEqual([]);
      },
    );
    expect(failures).toBeGreaterThan(1);
  });

  test('of a part', async () => {
    const directories: string[][] = [];
    const failures = await everywhere(
      (store) => answer(store.createUpload('d/a')),
      (store, upload) => answer(store.uploadPart('d/a', idOf(upload), 1, body)),
      async (store, upload) => {
        const { parts } = await answer(store.listParts('d/a', idOf(upload)));
        expect(parts).toEqual([]);
        directories.push(await filesOfUpload(store, idOf(upload)));
      },
    );
    expect(failures).toBeGreaterThan(1);
    for (const files of directories) expect(files).toEqual(['info']);
  });

  for (const count of [1, 2]) {
    test(`of a Complete of ${count}, which succeeds later`, async () => {
      const failures = await everywhere(
        async (store) => {
          const upload = await answer(store.createUpload('d/a'));
          const parts: UploadedPart[] = [];
          for (let i = 1; i <= count; i += 1)
            parts.push(await answer(store.uploadPart('d/a', upload.uploadId, i, body)));
          return { ...upload, parts };
        },
        (store, upload) => answer(store.completeUpload('d/a', idOf(upload), partsOf(upload))),
        async (store, upload) => {
          await answer(store.completeUpload('d/a', idOf(upload), partsOf(upload)));
          expect(await read(store, 'd/a')).toBe('a new body'.repeat(count));
        },
      );
      expect(failures).toBeGreaterThan(3);
    });
  }
});

const idOf = (upload: unknown): string => (upload as { uploadId: string }).uploadId;
const partsOf = (upload: unknown): UploadedPart[] => (upload as { parts: UploadedPart[] }).parts;

async function filesOfUpload(store: ObjectStore, id: string): Promise<string[]> {
  return readdir(join(new URL(store.uri).pathname, 'd/.millrace/uploads', id));
}
