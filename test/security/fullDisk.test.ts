/** A disk that is full under a job: always an error, and never in doubt if nothing was written. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filter, firstValueFrom, lastValueFrom, throwError } from 'rxjs';
import { createJob, files, fileSink, text, type JobEvent, type Logger } from '../../src/index.js';
import { createStores } from '../../src/entries/stores.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { isInDoubt, StoreError } from '../../src/store/errors.js';
import { nodeDisk, type Disk } from '../../src/store/local/disk.js';
import { createLocalStore } from '../../src/store/local/index.js';
import { Lake } from '../job/harness.js';

let directory: string;
beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'millrace-full-'))));
afterEach(() => rm(directory, { recursive: true }));

const errors = {
  ENOSPC: 'no space left on device',
  EDQUOT: 'disk quota exceeded',
  EMFILE: 'too many open files',
};

interface Failing {
  readonly disk: Disk;
  code: keyof typeof errors | undefined;
  /** The one path that fails. Default: every one. */
  only: string | undefined;
}

/** A disk on which one step fails once the test says. */
function failing(step: keyof Disk): Failing {
  const world: Failing = {
    disk: new Proxy(nodeDisk(false), {
      get: (target, name: keyof Disk) => {
        if (name !== step) return target[name];
        return (...args: string[]): unknown => {
          const { code, only } = world;
          if (code === undefined || (only !== undefined && args[0] !== only))
            return (target[name] as (...all: string[]) => unknown)(...args);
          return Promise.reject(Object.assign(new Error(`${code}: ${errors[code]}, write`), { code }));
        };
      },
    }),
    code: undefined,
    only: undefined,
  };
  return world;
}

describe.each(Object.keys(errors) as (keyof typeof errors)[])('%s', (code) => {
  test.each(['write', 'link', 'rename'] as const)(
    'in %s, before an object is visible: definite, with the path and what to do',
    async (step) => {
      const world = failing(step);
      const store = createLocalStore(directory, { disk: world.disk });
      await lastValueFrom(store.put('d/a', Buffer.from('old')));
      world.code = code;
      const put =
        step === 'link'
          ? store.put('d/b', Buffer.from('x'), { ifNoneMatch: '*' })
          : store.put('d/a', Buffer.from('x'));
      const error = await lastValueFrom(put).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'Unavailable',
        serverCode: code,
        retryable: true,
        unchanged: true,
      });
      expect((error as Error).message).toContain(`${directory}/d/`);
      expect((error as Error).message).toMatch(code === 'EMFILE' ? /ulimit -n/ : /Free some space/);
      expect(isInDoubt(error)).toBe(false);
    },
  );

  test('in a part, or while parts are put together', async () => {
    const world = failing('create');
    const store = createLocalStore(directory, { disk: world.disk });
    const { uploadId } = await lastValueFrom(store.createUpload('d/a'));
    const part = await lastValueFrom(store.uploadPart('d/a', uploadId, 1, Buffer.from('x')));
    world.code = code;
    const failures = [
      store.uploadPart('d/a', uploadId, 2, Buffer.from('x')),
      store.completeUpload('d/a', uploadId, [part]),
      store.createUpload('d/b'),
    ].map((request) => lastValueFrom<unknown>(request).catch((reason: unknown) => reason));
    for (const error of await Promise.all(failures))
      expect(error).toMatchObject({ serverCode: code, unchanged: true });
  });
});

test('a failure after the object is visible may have taken effect', async () => {
  const world = failing('sync');
  const store = createLocalStore(directory, { disk: world.disk });
  await lastValueFrom(store.put('a', Buffer.from('old')));
  world.only = directory;
  world.code = 'ENOSPC';
  const put = store.put('b', Buffer.from('x'), { ifNoneMatch: '*' });
  const error = await lastValueFrom(put).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ serverCode: 'ENOSPC', unchanged: false });
  expect(isInDoubt(error)).toBe(true);
});

interface Line {
  readonly level: string;
  readonly message: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;
}

function noting(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (context: object, message?: string): void =>
      void lines.push({ level, message, context: context as Line['context'] });
  const logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  } as unknown as Logger;
  return { logger, lines };
}

test('a job whose claim finds the disk full reports it, and starts again until there is space', async () => {
  await writeFile(join(directory, 'in.txt'), 'a\nb\n');
  const world = failing('create');
  world.code = 'ENOSPC';
  // The bucket of a file URI is the first directory of its path.
  const store = createLocalStore(`/${directory.split('/')[1]!}`, { disk: world.disk });
  const { logger, lines } = noting();
  const job = createJob({
    name: 'j',
    logger,
    stores: createStores({ schemes: { file: () => store } }),
    checkpoints: { dir: `file://${directory}/checkpoints` },
    restart: { initial: 1, max: 1 },
  });
  const restarts = firstValueFrom(
    job.events$.pipe(filter((event: JobEvent) => event.type === 'restarting')),
  ).then(() => (world.code = undefined));
  const out = job
    .source('in', files(`file://${directory}/in.txt`, { format: text() }))
    .pipe(fileSink('out', `file://${directory}/out`, { format: text() }));
  await job.run(out);
  await restarts;
  const told = lines.find(({ level }) => level === 'warn');
  expect(told?.context).toMatchObject({
    code: 'Unavailable',
    error: expect.stringMatching(/ENOSPC.*Free some space/) as string,
  });
  expect(lines.some(({ context }) => 'tries' in context)).toBe(false);
});

describe('a lasting doubt', () => {
  const errorsOf = {
    'the store is away': () => new StoreError('Unavailable', 'No answer.'),
    'first no answer, then no right': (tries: number) =>
      tries === 1
        ? new StoreError('Unavailable', 'No answer.')
        : new StoreError('PermissionDenied', 'No.', { status: 403 }),
    'first no answer, then no room': (tries: number) =>
      new StoreError('Unavailable', 'No room.', { unchanged: tries > 1 }),
  };

  test.each(Object.entries(errorsOf))(
    'is reported repeatedly, at growing intervals: %s',
    async (_, errorOf) => {
      const lake = new Lake();
      const { logger, lines } = noting();
      lake.put('in/a', ['a']);
      let tries = 0;
      const stores = createStores({
        schemes: {
          memory: () =>
            decorate(lake.store, (call, run) =>
              call.method === 'put' && call.key.includes('/log/') && tries < 40
                ? throwError(() => errorOf(++tries))
                : run,
            ),
        },
        clock: lake.clock,
      });
      const { job } = lake.job({ logger, stores });
      const out = job
        .source('in', files('memory://lake/in/', { format: text() }))
        .pipe(fileSink('out', 'memory://lake/out', { format: text() }));
      await lake.run(job, out);
      const told = lines.filter(({ message }) => message?.includes('unknown whether an entry') === true);
      expect(told.map(({ level, context }) => [level, context['tries']])).toEqual(
        [1, 2, 4, 8, 16, 32].map((n) => ['warn', n]),
      );
    },
  );
});

const mount = (path: string): unknown =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path], { stdio: 'ignore' });

/** Root can mount, unless in a container that keeps it from that. The injected fault above runs everywhere. */
const mountable = ((): boolean => {
  const path = mkdtempSync(join(tmpdir(), 'millrace-mount-'));
  try {
    mount(path);
    execFileSync('umount', [path]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(path);
  }
})();

(mountable ? test : test.skip)(
  'a real disk of 1 MiB: a put that finds no room changes nothing, and a smaller one works',
  async () => {
    mount(directory);
    try {
      const store = createLocalStore(directory);
      await lastValueFrom(store.put('d/a', Buffer.from('old')));
      const error = await lastValueFrom(store.put('d/a', Buffer.alloc(2 ** 21))).catch(
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({ serverCode: 'ENOSPC', unchanged: true });
      expect(Buffer.concat((await lastValueFrom(store.get('d/a'))).chunks).toString()).toBe('old');
      await lastValueFrom(store.put('d/a', Buffer.alloc(2 ** 18)));
    } finally {
      execFileSync('umount', [directory]);
    }
  },
);
