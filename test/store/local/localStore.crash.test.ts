import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstValueFrom, type Observable } from 'rxjs';
import { nodeDisk, type Disk } from '../../../src/store/local/disk.js';
import { createLocalStore } from '../../../src/store/local/index.js';
import { isStoreError } from '../../../src/store/errors.js';
import type { ObjectStore, UploadedPart } from '../../../src/store/objectStore.js';
import { effort } from '../../support/effort.js';

type Point = 'before' | 'half' | 'after';

/** A disk whose process dies at step n: the step has no effect, half of it (a write), or all of it, and none answers. */
function mortalDisk(n: number, point: Point): { disk: Disk; died: Promise<void>; steps: () => number } {
  const real = nodeDisk(false);
  let steps = 0;
  let die = (): void => undefined;
  const died = new Promise<void>((resolve) => (die = resolve));
  const never = new Promise<never>(() => undefined);
  const passive = new Set(['stat', 'readdir', 'readFile', 'open', 'readMark', 'sync']);
  const disk = new Proxy(real, {
    get(target, name: keyof Disk) {
      if (name === 'owner') return `0.0.dead-${n}`;
      if (name === 'alive') return (owner: string) => owner === `0.0.dead-${n}` || target.alive(owner);
      const step = target[name] as (...args: unknown[]) => Promise<unknown>;
      if (passive.has(name)) return (...args: unknown[]) => (steps >= n ? never : step(...args));
      return async (...args: unknown[]) => {
        if (steps >= n) return never;
        steps += 1;
        if (steps < n) return step(...args);
        if (point === 'half' && (name === 'create' || name === 'write'))
          await step(args[0], String(args[1]).slice(0, 3));
        else if (point === 'half' && name === 'concat')
          await step(args[0], (args[1] as string[]).slice(0, 1));
        else if (point !== 'before') await step(...args).catch(() => undefined);
        die();
        return never;
      };
    },
  });
  return { disk, died, steps: () => steps };
}

const answer = <T>(request: Observable<T>): Promise<T> => firstValueFrom(request);
const read = async (store: ObjectStore, key: string): Promise<string | undefined> => {
  try {
    const { chunks, info } = await answer(store.get(key));
    const text = Buffer.concat(chunks).toString();
    expect(info.size).toBe(text.length);
    return `${text} ${JSON.stringify(info.metadata)} ${info.etag}`;
  } catch (error) {
    if (isStoreError(error, 'NotFound')) return undefined;
    throw error;
  }
};
const metadata = { by: 'me' };
const options = { minimumPartSize: 3, durable: false };

/** Runs `work` with a crash at every step and each point, or a third of these that has every step, and `check` on the store as the next process opens it. */
async function everywhere(
  prepare: (store: ObjectStore) => Promise<unknown>,
  work: (store: ObjectStore, prepared: unknown) => Promise<unknown>,
  check: (store: ObjectStore, prepared: unknown, finished: boolean) => Promise<void>,
): Promise<number> {
  let crashes = 0;
  const step = effort(5, 1);
  for (const [i, point] of (['before', 'half', 'after'] as const).entries()) {
    for (let n = 1 + (i % step); ; n += step) {
      const directory = await mkdtemp(join(tmpdir(), 'millrace-crash-'));
      try {
        const prepared = await prepare(createLocalStore(directory, options));
        const { disk, died, steps } = mortalDisk(n, point);
        const finished = await Promise.race([
          work(createLocalStore(directory, { ...options, disk }), prepared).then(() => true),
          died.then(() => false),
        ]);
        await check(createLocalStore(directory, options), prepared, finished);
        await expectClean(directory);
        if (finished) {
          expect(steps()).toBeLessThan(n);
          break;
        }
        crashes += 1;
      } finally {
        await rm(directory, { recursive: true });
      }
    }
  }
  return crashes;
}

/** After one more write nothing temporary is left, and every sidecar belongs to a file. */
async function expectClean(directory: string): Promise<void> {
  await answer(createLocalStore(directory, options).put('d/other', Buffer.from('x')));
  const state = join(directory, 'd', '.millrace');
  expect(await readdir(join(state, 'tmp'))).toEqual([]);
  expect(await readdir(join(state, 'uploads'))).toEqual([]);
  const files = (await readdir(join(directory, 'd'))).filter((name) => name !== '.millrace');
  expect(await readdir(join(state, 'meta'))).toHaveLength(files.length);
}

describe('a process that dies at any step of', () => {
  const etagOf = (text: string | undefined): string => text?.split(' ').at(-1) ?? '';

  it('a put leaves the old object or the new one', async () => {
    const crashes = await everywhere(
      (store) => answer(store.put('d/a', Buffer.from('old'))),
      (store) => answer(store.put('d/a', Buffer.from('new body'), { metadata })),
      async (store, _, finished) => {
        const seen = await read(store, 'd/a');
        const etag = etagOf(seen);
        expect(etag).toHaveLength(32);
        if (finished) expect(seen?.startsWith('new body {"by":"me"}')).toBe(true);
        else expect(seen).toMatch(/^(old \{\}|new body \{"by":"me"\}) [0-9a-f]{32}$/);
        await answer(store.put('d/a', Buffer.from('third'), { ifMatch: etag }));
      },
    );
    expect(crashes).toBeGreaterThan(effort(3, 20));
  });

  it('a create leaves nothing or all, and the next one gets the right answer', async () => {
    await everywhere(
      () => Promise.resolve(),
      (store) => answer(store.put('d/a', Buffer.from('new body'), { metadata, ifNoneMatch: '*' })),
      async (store, _, finished) => {
        const seen = await read(store, 'd/a');
        if (finished) expect(seen).toBeDefined();
        if (seen === undefined) await answer(store.put('d/a', Buffer.from('mine'), { ifNoneMatch: '*' }));
        else {
          expect(seen).toMatch(/^new body \{"by":"me"\} [0-9a-f]{32}$/);
          await expect(
            answer(store.put('d/a', Buffer.from('mine'), { ifNoneMatch: '*' })),
          ).rejects.toMatchObject({ code: 'AlreadyExists' });
        }
      },
    );
  });

  it('a delete leaves the whole object or none', async () => {
    await everywhere(
      (store) => answer(store.put('d/a', Buffer.from('body'), { metadata })),
      (store) => answer(store.delete(['d/a'])),
      async (store, _, finished) => {
        const seen = await read(store, 'd/a');
        if (finished) expect(seen).toBeUndefined();
        if (seen !== undefined) expect(seen).toMatch(/^body \{"by":"me"\} [0-9a-f]{32}$/);
        await answer(store.delete(['d/a']));
      },
    );
  });

  for (const parts of [1, 3]) {
    for (const ifNoneMatch of [false, true]) {
      it(`Complete of ${parts} parts${ifNoneMatch ? ' with ifNoneMatch' : ''} publishes once, all or nothing`, async () => {
        const crashes = await everywhere(
          async (store) => {
            const { uploadId } = await answer(store.createUpload('d/a', { metadata }));
            const made: UploadedPart[] = [];
            for (let i = 1; i <= parts; i += 1)
              made.push(await answer(store.uploadPart('d/a', uploadId, i, Buffer.from(`part${i}`))));
            return { uploadId, made };
          },
          (store, prepared) => {
            const { uploadId, made } = prepared as { uploadId: string; made: UploadedPart[] };
            return answer(
              store.completeUpload('d/a', uploadId, made, ifNoneMatch ? { ifNoneMatch: '*' } : {}),
            );
          },
          async (store, prepared, finished) => {
            const { uploadId, made } = prepared as { uploadId: string; made: UploadedPart[] };
            const whole = new RegExp(
              `^${made.map((_, i) => `part${i + 1}`).join('')} \\{"by":"me"\\} [0-9a-f]{32}-${parts}$`,
            );
            const seen = await read(store, 'd/a');
            if (seen !== undefined) expect(seen).toMatch(whole);
            if (finished) expect(seen).toBeDefined();
            if (seen !== undefined) {
              // A consumer removes it: completing again must not bring it back.
              if (made.length === 3) await answer(store.delete(['d/a']));
              await expect(answer(store.completeUpload('d/a', uploadId, made))).rejects.toMatchObject({
                code: 'NotFound',
              });
              expect(await read(store, 'd/a')).toEqual(made.length === 3 ? undefined : seen);
            } else {
              await answer(store.completeUpload('d/a', uploadId, made));
              expect(await read(store, 'd/a')).toMatch(whole);
            }
            expect((await answer(store.listUploads({ prefix: '' }))).uploads).toEqual([]);
            await answer(store.abortUpload('d/a', uploadId));
          },
        );
        expect(crashes).toBeGreaterThan(effort(8, 15));
      });
    }
  }

  describe('an upload with one file for its parts:', () => {
    const layout = { size: 12, partSize: 5, etag: 'source-3' };
    const bodies = ['part1', 'part2', 'p3'];
    const create = (store: ObjectStore) => answer(store.createUpload('d/a', { metadata, layout }));
    const whole = 'part1part2p3 {"by":"me"} source-3';

    it('a part is there when all its bytes are', async () => {
      const crashes = await everywhere(
        async (store) => (await create(store)).uploadId,
        async (store, uploadId) => {
          for (const number of [3, 1, 2])
            await answer(
              store.uploadPart('d/a', String(uploadId), number, Buffer.from(bodies[number - 1] ?? '')),
            );
        },
        async (store, prepared) => {
          const uploadId = String(prepared);
          const { parts } = await answer(store.listParts('d/a', uploadId));
          for (const number of [1, 2, 3].filter((one) => !parts.some((part) => part.number === one)))
            await answer(store.uploadPart('d/a', uploadId, number, Buffer.from(bodies[number - 1] ?? '')));
          const all = (await answer(store.listParts('d/a', uploadId))).parts;
          await answer(store.completeUpload('d/a', uploadId, all));
          expect(await read(store, 'd/a')).toBe(whole);
        },
      );
      expect(crashes).toBeGreaterThan(effort(8, 15));
    });

    it.each([{}, { ifNoneMatch: '*' } as const])(
      'Complete with %j publishes once, all or nothing',
      async (how) => {
        const crashes = await everywhere(
          async (store) => {
            const { uploadId } = await create(store);
            const made: UploadedPart[] = [];
            for (const [i, body] of bodies.entries())
              made.push(await answer(store.uploadPart('d/a', uploadId, i + 1, Buffer.from(body))));
            return { uploadId, made };
          },
          (store, prepared) => {
            const { uploadId, made } = prepared as { uploadId: string; made: UploadedPart[] };
            return answer(store.completeUpload('d/a', uploadId, made, how));
          },
          async (store, prepared, finished) => {
            const { uploadId, made } = prepared as { uploadId: string; made: UploadedPart[] };
            const seen = await read(store, 'd/a');
            expect([whole, ...(finished ? [] : [undefined])]).toContain(seen);
            const again = answer(store.completeUpload('d/a', uploadId, made));
            if (seen === undefined) await again;
            else await expect(again).rejects.toMatchObject({ code: 'NotFound' });
            expect(await read(store, 'd/a')).toBe(whole);
            await answer(store.abortUpload('d/a', uploadId));
          },
        );
        expect(crashes).toBeGreaterThan(effort(8, 15));
      },
    );

    it('what leaves a part out, or is not of the layout, is refused', async () => {
      await everywhere(
        async (store) => {
          const { uploadId } = await create(store);
          const first = await answer(store.uploadPart('d/a', uploadId, 1, Buffer.from('part1')));
          const refused = [
            store.completeUpload('d/a', uploadId, [first]),
            store.uploadPart('d/a', uploadId, 2, Buffer.from('part')),
            store.uploadPart('d/a', uploadId, 4, Buffer.from('more')),
          ];
          for (const request of refused)
            await expect(answer(request as Observable<unknown>)).rejects.toMatchObject({
              code: 'InvalidPart',
            });
          return uploadId;
        },
        () => Promise.resolve(),
        async (store, uploadId) => {
          await new Promise<void>((complete, error) =>
            store.abortUpload('d/a', String(uploadId)).subscribe({ complete, error }),
          );
        },
      );
    });
  });

  it('an upload of a part leaves the old part or the new one', async () => {
    await everywhere(
      async (store) => {
        const { uploadId } = await answer(store.createUpload('d/a'));
        await answer(store.uploadPart('d/a', uploadId, 1, Buffer.from('first')));
        return uploadId;
      },
      (store, uploadId) => answer(store.uploadPart('d/a', String(uploadId), 1, Buffer.from('second'))),
      async (store, uploadId) => {
        const { parts } = await answer(store.listParts('d/a', String(uploadId)));
        expect(parts).toHaveLength(1);
        await answer(store.completeUpload('d/a', String(uploadId), parts));
        expect(await read(store, 'd/a')).toMatch(/^(first|second) /);
      },
    );
  });

  it('an abort leaves the upload or nothing', async () => {
    await everywhere(
      async (store) => {
        const { uploadId } = await answer(store.createUpload('d/a'));
        await answer(store.uploadPart('d/a', uploadId, 1, Buffer.from('first')));
        return uploadId;
      },
      async (store, uploadId) => {
        await new Promise<void>((resolve, reject) =>
          store.abortUpload('d/a', String(uploadId)).subscribe({ complete: resolve, error: reject }),
        );
      },
      async (store, uploadId) => {
        const { uploads } = await answer(store.listUploads({ prefix: 'd/' }));
        for (const upload of uploads)
          expect((await answer(store.listParts('d/a', upload.uploadId))).parts).toHaveLength(1);
        await new Promise<void>((resolve, reject) =>
          store.abortUpload('d/a', String(uploadId)).subscribe({ complete: resolve, error: reject }),
        );
        expect(await read(store, 'd/a')).toBeUndefined();
      },
    );
  });

  it('creating a directory at the key of an object leaves both accessible', async () => {
    await everywhere(
      (store) => answer(store.put('d', Buffer.from('object'))),
      (store) => answer(store.put('d/a', Buffer.from('below'))),
      async (store) => {
        expect(await read(store, 'd')).toMatch(/^object /);
        const below = await read(store, 'd/a');
        if (below !== undefined) expect(below).toMatch(/^below /);
        await answer(store.put('d/a', Buffer.from('again')));
        await answer(store.delete(['d']));
        await answer(store.delete(['d/a']));
      },
    ).catch((error: unknown) => {
      // expectClean looks below `d`, which lies beside the object here.
      if (!String(error).includes('ENOENT')) throw error;
    });
  });
});

describe('local', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-local-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('reads what other programs wrote, and they read what it wrote', async () => {
    await mkdir(join(directory, 'raw/2026'), { recursive: true });
    await writeFile(join(directory, 'raw/2026/a 100%.txt'), 'theirs');
    const store = createLocalStore(directory);
    const { objects } = await answer(store.list({ prefix: 'raw/' }));
    expect(objects.map(({ key, size }) => [key, size])).toEqual([['raw/2026/a 100%.txt', 6]]);
    const [{ etag } = { etag: '' }] = objects;
    expect(await read(store, 'raw/2026/a 100%.txt')).toBe(`theirs {} ${etag}`);
    await writeFile(join(directory, 'raw/2026/a 100%.txt'), 'changed');
    await expect(answer(store.get('raw/2026/a 100%.txt', { ifMatch: etag }))).rejects.toMatchObject({
      code: 'PreconditionFailed',
    });
    await answer(store.put('out/day=1/part-0.ndjson', Buffer.from('ours')));
    expect(await readFile(join(directory, 'out/day=1/part-0.ndjson'), 'utf8')).toBe('ours');
  });

  it('removes the leftovers of a dead process when uploads are listed', async () => {
    let found = 0;
    for (let n = 1, over = false; !over; n++) {
      const root = join(directory, `${n}`);
      await mkdir(join(root, 'out/day=1'), { recursive: true });
      const { disk, died } = mortalDisk(n, 'after');
      const put = answer(createLocalStore(root, { disk }).put('out/day=1/a', Buffer.from('x'), { metadata }));
      over = await Promise.race([put.then(() => true), died.then(() => false)]);
      const temporary = async (): Promise<string[]> =>
        (await readdir(root, { recursive: true })).filter((path) => path.includes('/tmp/'));
      found += (await temporary()).length;
      const before = await read(createLocalStore(root), 'out/day=1/a');
      expect((await answer(createLocalStore(root).listUploads({ prefix: 'out/' }))).uploads).toEqual([]);
      expect({ n, left: await temporary() }).toEqual({ n, left: [] });
      expect(await read(createLocalStore(root), 'out/day=1/a')).toBe(before);
    }
    expect(found).toBeGreaterThan(2);
  });

  it('lists uploads in a directory that it may not change', async () => {
    const { disk, died } = mortalDisk(12, 'after');
    await answer(createLocalStore(directory).put('out/b', Buffer.from('x')));
    const { uploadId } = await answer(createLocalStore(directory).createUpload('out/c'));
    await Promise.race([died, answer(createLocalStore(directory, { disk }).put('out/a', Buffer.from('x')))]);
    await writeFile(join(directory, 'out/.millrace/tmp/0.0.gone~0~0'), '');
    const readOnly = new Proxy(nodeDisk(false), {
      get: (target, name: keyof Disk) =>
        name === 'unlink'
          ? () => Promise.reject(Object.assign(new Error('read-only'), { code: 'EROFS' }))
          : target[name],
    });
    const { uploads } = await answer(
      createLocalStore(directory, { disk: readOnly }).listUploads({ prefix: 'out/' }),
    );
    expect(uploads.map((upload) => upload.uploadId)).toEqual([uploadId]);
  });

  it('is the same store through any parent directory', async () => {
    await answer(createLocalStore(directory).put('a/b/c', Buffer.from('x'), { metadata }));
    await mkdir(join(directory, 'a'), { recursive: true });
    const inner = createLocalStore(join(directory, 'a'));
    expect(await read(inner, 'b/c')).toContain('"by":"me"');
    const { uploadId } = await answer(inner.createUpload('b/d'));
    expect(
      await answer(createLocalStore(directory).listParts('a/b/d', uploadId)).catch((e: unknown) => e),
    ).toMatchObject({ parts: [] });
  });

  it('says how to create a missing root', async () => {
    const store = createLocalStore(join(directory, 'missing'));
    await expect(answer(store.put('a', Buffer.from('x')))).rejects.toMatchObject({
      code: 'NotFound',
      message: expect.stringContaining('mkdir') as string,
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it('reads only the directories that a page needs', async () => {
    const store = createLocalStore(directory);
    for (const day of [1, 2, 3, 4])
      for (const part of [1, 2]) await answer(store.put(`out/day=${day}/part-${part}`, Buffer.from('x')));
    const looked: string[] = [];
    const disk = new Proxy(nodeDisk(false), {
      get(target, name: keyof Disk) {
        if (name !== 'readdir') return target[name];
        return (path: string) => {
          looked.push(path.slice(directory.length));
          return target.readdir(path);
        };
      },
    });
    const watched = createLocalStore(directory, { disk });
    await answer(watched.list({ prefix: 'out/day=2/' }));
    expect(looked).toEqual(['/out/day=2']);
    looked.length = 0;
    await answer(watched.list({ prefix: 'out/', limit: 1, startAfter: 'out/day=2/part-9' }));
    expect(looked).toEqual(['/out', '/out/day=2', '/out/day=3']);
  });
});
