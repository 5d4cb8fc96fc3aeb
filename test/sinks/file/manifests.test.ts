import { concat, ignoreElements, Observable, throwError } from 'rxjs';
import { encodeLatest, positionOf, type FileManifest } from '../../../src/sinks/file/fileManifest.js';
import { fileSink } from '../../../src/sinks/file/fileSink.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { crashAt, type MortalStore } from '../../../src/store/decorators/faults.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { StoreError } from '../../../src/store/errors.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { ManifestReader } from '../../support/manifestReader.js';
import { lines, now, Run, World } from '../harness.js';

const sink = { manifests: { latest: true }, roll: { checkpoints: 1, age: '1h', inactivity: '1h' } } as const;
const folder = 'out/_manifests/out/job-4567_abc/';

const isManifest = (key: string): boolean => key.startsWith(folder) && !key.endsWith('/latest.json');
const filesOf = (world: World): string[] => world.keys().filter((key) => !key.startsWith('out/_manifests/'));

function manifestsOf(world: World): { readonly name: string; readonly manifest: FileManifest }[] {
  return world
    .keys(folder)
    .filter(isManifest)
    .map((key) => ({
      name: key.slice(folder.length),
      manifest: JSON.parse(world.content(key)) as FileManifest,
    }));
}

const latestOf = (world: World): string | undefined =>
  world.keys(folder).includes(`${folder}latest.json`)
    ? (JSON.parse(world.content(`${folder}latest.json`)) as { manifest: string }).manifest
    : undefined;

const readers = new WeakMap<World, ManifestReader>();

/** Each file is in exactly one manifest, `latest` is the last one, and the reader of the world has seen nothing wrong. */
function expectWhole(world: World): void {
  const reader = readers.get(world) ?? new ManifestReader(world.store, 'out/');
  expect(reader.atEnd()).toEqual([]);
  expect(latestOf(world)).toBe(manifestsOf(world).at(-1)?.name);
}

function settle(run: Run): void {
  for (let i = 0; i < 4; i++) run.settle();
  expect(run.error).toBeUndefined();
}

test('a manifest for each checkpoint that finishes files, after all of them, and latest', () => {
  const world = new World();
  const run = new Run(world, { sink });
  run.line('a', '1');
  run.line('b/c', '12');
  run.line('', '1');
  run.barrier();
  run.barrier(); // without files
  run.line('a', '2');
  run.barrier();
  const [first] = manifestsOf(world);
  expect(
    manifestsOf(world).map(({ name, manifest }) => [name, manifest.checkpoint, manifest.files.length]),
  ).toEqual([
    ['0000000001-0000000000000001.json', 1, 3],
    ['0000000001-0000000000000003.json', 3, 1],
  ]);
  const uid = (n: number): string => `part-${world.jobId}-out-0000000001-00000000${n}.txt`;
  expect(first!.manifest).toEqual({
    ...{ version: 1, job: 'test', jobId: world.jobId, sink: 'out', epoch: 1, checkpoint: 1 },
    files: [
      { uri: `memory://lake/out/a/${uid(0)}`, partition: 'a', bytes: 2, records: 1 },
      { uri: `memory://lake/out/b/c/${uid(1)}`, partition: 'b/c', bytes: 3, records: 1 },
      { uri: `memory://lake/out/${uid(2)}`, partition: '', bytes: 2, records: 1 },
    ],
  });
  expect(JSON.parse(world.content(`${folder}latest.json`))).toEqual({
    ...{ version: 1, jobId: world.jobId, sink: 'out', epoch: 1, checkpoint: 3 },
    manifest: '0000000001-0000000000000003.json',
  });
  expectWhole(world);
  expect(run.pending).toEqual([]);
});

/** A world in which a reader looks after each change. */
function watched(): World {
  const reader = new ManifestReader(createMemoryStore({ uri: 'memory://lake', minimumPartSize: 64 }), 'out/');
  const world = new World({ store: reader.store, minimumPartSize: 64 });
  readers.set(world, reader);
  return world;
}

const rows = 24;
const small = { ...sink, roll: { ...sink.roll, checkpoints: 2, size: 200 }, partSize: 64, budget: 4096 };

/** Writes what is missing: a line or two in one of three partitions, and a barrier after each third. Returns whether it got to the end. */
function proceed(world: World, run: Run): boolean {
  while (!run.dead && run.position < rows) {
    const i = run.position;
    run.line(`p${i % 4 === 3 ? 0 : i % 3}`, `${i}:${'x'.repeat((i * 7) % 50)}`);
    if (i % 3 === 2) run.barrier();
  }
  if (!run.dead) run.end();
  settle(run);
  return !run.dead;
}

const mortal = (at: number, when: 'before' | 'after') => {
  let store: MortalStore | undefined;
  return {
    sink: small,
    dead: () => store?.dead === true,
    wrap: (inner: ObjectStore) => (store = crashAt(inner, at, when)).store,
  };
};

test.each(['before', 'after'] as const)(
  'a process that dies %s any request: readers see manifests of whole files, and each file is in one',
  (when) => {
    let sealed = 0;
    for (let at = 1; ; at++) {
      const world = watched();
      const isOver = proceed(world, new Run(world, mortal(at, when)));
      if (isOver) break;
      // The next one dies as well, somewhere in its recovery.
      if (!proceed(world, new Run(world, mortal(1 + ((at * 5) % 23), when))))
        expect(proceed(world, new Run(world, { sink: small }))).toBe(true);
      expectWhole(world);
      const content = contents(world).join('');
      expect(content.split('\n').length - 1).toBe(rows);
      sealed += manifestsOf(world).filter(({ manifest }) => manifest.checkpoint === undefined).length;
    }
    expect(sealed).toBeGreaterThan(20);
  },
);

function contents(world: World): string[] {
  return filesOf(world).map((key) => world.content(key));
}

test('files that a restart finishes have a manifest of their own, after those of their attempt', () => {
  const world = watched();
  const first = new Run(world, { sink: { ...small, roll: { ...small.roll, checkpoints: 3 } } });
  for (const p of ['a', 'b', 'a', 'c']) {
    first.line(p, p.repeat(3));
    first.barrier();
  }
  const second = new Run(world, { sink: small });
  settle(second);
  second.line('a', 'later');
  second.barrier();
  second.barrier();
  settle(second);
  expect(
    manifestsOf(world).map(({ name, manifest }) => [name, manifest.files.map((file) => file.partition)]),
  ).toEqual([
    ['0000000001-0000000000000003.json', ['a']],
    ['0000000001-0000000000000004.json', ['b']],
    ['0000000001-sealed.json', ['c']],
    ['0000000002-0000000000000006.json', ['a']],
  ]);
  expectWhole(world);
});

test('a manifest waits for the slowest of its files, and those after it wait for it', () => {
  const world = watched();
  const held: (() => void)[] = [];
  const wrap = (store: ObjectStore): ObjectStore =>
    decorate(store, (call, run) =>
      call.method === 'completeUpload' && call.key.startsWith('out/slow')
        ? new Observable((out) => {
            held.push(() => run.subscribe(out));
          })
        : run,
    );
  const run = new Run(world, { sink, wrap });
  run.line('a', '1');
  run.line('slow', '1');
  run.barrier();
  run.line('b', '1');
  run.barrier();
  settle(run);
  expect(filesOf(world).map((key) => key.split('/')[1])).toEqual(['a', 'b']);
  expect(manifestsOf(world)).toEqual([]);
  expect(run.pending).toHaveLength(3);
  for (const open of held) open();
  settle(run);
  expect(manifestsOf(world)).toHaveLength(2);
  expect(run.pending).toEqual([]);
  expectWhole(world);
});

/** A fault at the first `times` puts of a key. */
function atPut(key: string, times: number, meet: (run: Observable<unknown>) => Observable<unknown>) {
  let left = times;
  return (store: ObjectStore): ObjectStore =>
    decorate(store, <T>(call: { method: string; key: string }, run: Observable<T>) =>
      call.method === 'put' && call.key.endsWith(key) && left-- > 0 ? (meet(run) as Observable<T>) : run,
    );
}

const noAnswer = throwError(() => new StoreError('Unavailable', 'no answer'));

describe.each(['0000000001-0000000000000001.json', 'latest.json'])('the write of %s', (name) => {
  test.each([
    [
      'has no answer, but took effect',
      (run: Observable<unknown>) => concat(run.pipe(ignoreElements()), noAnswer),
    ],
    ['has no answer, and had no effect', () => noAnswer],
  ])('%s: it is determined', (_, meet) => {
    const world = watched();
    const run = new Run(world, { sink, wrap: atPut(name, 2, meet) });
    run.line('a', '1');
    run.barrier();
    world.clock.advance(10_000);
    settle(run);
    expectWhole(world);
    expect(latestOf(world)).toBe('0000000001-0000000000000001.json');
    expect(run.pending).toEqual([]);
  });

  test('finds a foreign object: ForeignObject', () => {
    const world = new World();
    now(world.store.put(folder + name, Buffer.from('{"mine":true}')));
    const run = new Run(world, { sink });
    run.line('a', '1');
    run.barrier();
    expect(run.error).toMatchObject({ code: 'ForeignObject', retryable: false });
    expect(String(run.error)).toContain(folder + name);
    expect(world.content(folder + name)).toBe('{"mine":true}');
  });
});

test.each([
  ['the first', 0],
  ['a later', 1],
])('a late write of a zombie, %s of its attempt, does not set latest back', (_, before) => {
  const world = watched();
  let late: (() => void) | undefined;
  let writes = 0;
  const zombie = new Run(world, {
    sink,
    wrap: atPut('latest.json', 2, (run) =>
      writes++ < before ? run : new Observable((out) => ((late = () => run.subscribe(out)), undefined)),
    ),
  });
  for (let i = 0; i <= before; i++) {
    zombie.line('a', '1');
    zombie.barrier();
  }
  expect(manifestsOf(world)).toHaveLength(before + 1);
  const second = new Run(world, { sink });
  second.line('a', '2');
  second.barrier();
  settle(second);
  const latest = latestOf(world);
  expect(latest).toBe(`0000000002-000000000000000${before + 2}.json`);
  late!(); // its condition is not met, it reads, and finds a later one
  world.clock.advance(1000);
  expect(zombie.error).toBeUndefined();
  expect(latestOf(world)).toBe(latest);
  expectWhole(world);
});

test('latest of an attempt that has written it before, changed by another one meanwhile', () => {
  const world = watched();
  const first = new Run(world, { sink });
  first.line('a', '1');
  first.barrier();
  // The successor of a paused process has written it.
  const later = encodeLatest({
    version: 1,
    jobId: world.jobId,
    sink: 'out',
    ...positionOf('0000000001-0000000000000001'),
    manifest: '0000000001-0000000000000001.json',
  });
  now(world.store.put(`${folder}latest.json`, Buffer.concat([later, Buffer.from('\n')])));
  first.line('a', '2');
  first.barrier();
  expect(first.error).toBeUndefined();
  world.clock.advance(10_000);
  expect(latestOf(world)).toBe('0000000001-0000000000000002.json');
});

test('latest that was removed meanwhile is written again', () => {
  const world = watched();
  const run = new Run(world, { sink });
  run.line('a', '1');
  run.barrier();
  now(world.store.delete([`${folder}latest.json`]));
  run.line('a', '2');
  run.barrier();
  world.clock.advance(10_000);
  expect(run.error).toBeUndefined();
  expect(latestOf(world)).toBe('0000000001-0000000000000002.json');
});

test('a sink that was moved completes the manifests of its former folder there', () => {
  const world = watched();
  const first = new Run(world, { sink, auto: false });
  first.line('a', '1');
  first.barrier();
  first.durable(false);
  const options = { ...sink, format: lines, earlier: ['memory://lake/out'] };
  settle(new Run(world, { operator: fileSink('out', 'memory://lake/moved', options) }));
  expect(manifestsOf(world)).toHaveLength(1);
  expectWhole(world);
  expect(world.keys('moved')).toEqual([]);
});

test('without manifests before: those pending then get one', () => {
  const world = watched();
  const first = new Run(world, { sink: { ...sink, manifests: false }, auto: false });
  first.line('a', '1');
  first.barrier();
  first.line('a', '2');
  first.barrier();
  first.durable(false);
  settle(new Run(world, { sink }));
  expect(manifestsOf(world).map(({ name }) => name)).toEqual([
    '0000000001-0000000000000001.json',
    '0000000001-0000000000000002.json',
  ]);
  expectWhole(world);
});

test('another job in the same folder, as one from a savepoint, and another sink have manifests of their own', () => {
  const world = new World();
  const next = Object.assign(new World({ store: world.store }), { jobId: 'job-of-after' });
  const runs = [
    new Run(world, { sink }),
    new Run(next, { sink }),
    new Run(new World({ store: world.store }), { sink, id: 'other/sink' }),
  ];
  for (const run of runs) {
    run.line('a', '1');
    run.barrier();
    expect(run.error).toBeUndefined();
  }
  const name = '0000000001-0000000000000001.json';
  expect(world.keys('out/_manifests/')).toEqual(
    ['other_2f_sink/job-4567_abc', 'out/job-4567_abc', 'out/job-of-after'].flatMap((of) => [
      `out/_manifests/${of}/${name}`,
      `out/_manifests/${of}/latest.json`,
    ]),
  );
});

test('a committed file that a consumer has removed stays in its manifest', () => {
  const world = new World();
  const first = new Run(world, { sink, wrap: atPut('.json', 99, () => new Observable()) });
  first.line('a', '1');
  first.line('b', '1');
  first.barrier();
  now(world.store.delete([filesOf(world)[0]!]));
  const second = new Run(world, { sink: { ...sink, onMissingCommitted: 'accept' } });
  settle(second);
  expect(manifestsOf(world).map(({ manifest }) => manifest.files.length)).toEqual([2]);
});

test('thousands of files are one manifest, and two requests', () => {
  const world = new World();
  let puts = 0;
  const wrap = (store: ObjectStore): ObjectStore =>
    decorate(store, (call, run) => {
      if (call.key.startsWith(folder)) puts++;
      return run;
    });
  const run = new Run(world, { sink, wrap });
  for (let i = 0; i < 5000; i++) run.line(`p${i}`, '1');
  run.barrier();
  settle(run);
  const [{ manifest } = { manifest: undefined }] = manifestsOf(world);
  expect(manifest?.files).toHaveLength(5000);
  expect(puts).toBe(4); // with the check of If-Match at the start, and the first look at latest
});

test.each(['_manifests', '_manifests/x'])('%s is not a partition', (partition) => {
  const run = new Run(new World());
  run.line(partition, 'x');
  expect(run.error).toMatchObject({ code: 'InvalidPartition' });
});

test.each(['_manifestsx', 'a/_manifests'])('%s is one', (partition) => {
  const run = new Run(new World(), { sink });
  run.line(partition, 'x');
  run.barrier();
  expect(run.error).toBeUndefined();
});

describe('a store that cannot', () => {
  const unable = (
    wrap: (store: ObjectStore) => ObjectStore,
    manifests: boolean | { latest: boolean },
  ): unknown => new Run(new World(), { sink: { manifests }, wrap }).error;

  test('has no conditional writes: InvalidOption at the start', () => {
    const world = new World();
    Object.assign(world.capabilities, { conditionalPut: false });
    const { error } = new Run(world, { sink: { manifests: true } });
    expect(error).toMatchObject({ code: 'InvalidOption' });
    expect(String(error)).toContain("fileSink 'out': manifests: true is not allowed");
    expect(new Run(world, {}).error).toBeUndefined();
  });

  test('ignores If-Match, or does not know it: InvalidOption at the start if latest needs it', () => {
    const ignoring = (store: ObjectStore): ObjectStore => ({
      ...decorate(store, (_, run) => run),
      put: (key, body) => store.put(key, body),
    });
    const refusing = (store: ObjectStore): ObjectStore =>
      decorate(store, (call, run) =>
        call.method === 'put' ? throwError(() => new StoreError('NotSupported', 'no')) : run,
      );
    for (const wrap of [ignoring, refusing]) {
      expect(unable(wrap, { latest: true })).toMatchObject({ code: 'InvalidOption' });
      expect(unable(wrap, true)).toBeUndefined();
    }
  });
});
