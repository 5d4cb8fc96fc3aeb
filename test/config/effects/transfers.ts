import { lastValueFrom, map } from 'rxjs';

import { Contents } from '../../../src/fs/contents.js';
import { createOperations, type Operations } from '../../../src/fs/operations/index.js';
import { placeOf } from '../../../src/fs/operations/place.js';
import {
  bytes,
  createMemoryStore,
  fileSink,
  files,
  importState,
  keyed,
  listState,
  openState,
  records,
  valueState,
  values,
} from '../../../src/index.js';
import type { RowWriter } from '../../../src/entries/operators.js';
import { jobStores } from '../../../src/job/jobStores.js';
import { resolveOptions } from '../../../src/job/options.js';
import { altered } from '../../store/alteringProxy.js';
import { credentials } from '../../store/s3support.js';
import { flat } from '../support.js';
import { logOf } from './jobs.js';
import { configured, header, listen, type Effects } from './listener.js';
import { MiB, ticks, World } from './world.js';

type Set = Readonly<Record<string, unknown>>;

/** Numbers as a MiB each. */
const mebibytes: RowWriter<number> = { extension: '.bin', encode: (n) => Buffer.alloc(MiB, n) };

/** A sink that writes one file of so many MiB. */
async function written(set: Set, size = 20): Promise<World> {
  const world = new World();
  const job = world.job(set);
  const sink = fileSink<number>('out', 'memory://lake/out', { format: mebibytes });
  expect(await world.run(job, [job.source('in', ticks(size, 0, MiB)).pipe(sink)])).toBeUndefined();
  return world;
}

/** A source that reads one object of 20 MiB. */
async function source(set: Set): Promise<World> {
  const world = new World();
  world.fill('raw/a.bin', Buffer.alloc(20 * MiB));
  const job = world.job(set);
  const raw = files('memory://lake/raw/a.bin', { format: bytes() });
  expect(await world.run(job, [job.source('in', raw).pipe(records(map(() => 0)), values())])).toBeUndefined();
  return world;
}

/** An operation on a store with an object of 20 MiB and many small ones. */
function operated(
  set: Set,
  operation: (operations: Operations) => ReturnType<Operations['read' | 'write' | 'bulkCopy']>,
): World {
  const world = new World();
  world.fill('big', Buffer.alloc(20 * MiB));
  for (let i = 0; i < 20; i++) world.fill(`small/${i}`, Buffer.from('x'));
  const operations = createOperations({ stores: world.stores, config: flat(set), clock: world.clock });
  world.finish<unknown>(operation(operations));
  return world;
}

const reading = (set: Set): World => operated(set, ({ read }) => read('memory://lake/big'));
const writing = (set: Set, size = 12): World =>
  operated(set, ({ write }) => write('memory://lake/new', Buffer.alloc(size * MiB)));
const bulk = (set: Set): World =>
  operated(set, ({ bulkCopy }) =>
    bulkCopy(
      { from: 'memory://lake/small/', to: 'memory://lake/copied/' },
      { skipSame: false, resume: false },
    ),
  );
/** Objects that a bulk copy had in flight. */
const objects = (world: World): number => Math.max(world.most('copy'), world.most('put'));

/** The requests of a small read in the middle of an object. */
function peeked(set: Set): readonly number[] {
  const world = new World();
  world.fill('big', Buffer.alloc(20 * MiB));
  const contents = new Contents({
    open: (uri) => placeOf(world.stores, uri),
    transfer: () => flat(set).transfer,
    onCleanUp: () => undefined,
    clock: world.clock,
  });
  const [reader] = world.finish(contents.seekable('memory://lake/big'));
  world.finish(reader!.read(Buffer.alloc(10), 9 * MiB));
  reader!.close();
  return world.sizes('get');
}

/** A job that keeps so many values of 10 kB in its state, one after so many milliseconds. */
async function stateful(set: Set, count = 1200, every = 0): Promise<World> {
  const world = new World();
  const job = world.job(set);
  const kept = keyed('state', {
    key: (n: number) => n,
    state: { text: valueState('') },
    onRecord: (n, { text }) => {
      text.set(String(n).padEnd(10_000, 'x'));
      return [] as number[];
    },
  });
  const sink = fileSink<number>('out', 'memory://lake/out', { format: mebibytes });
  expect(await world.run(job, [job.source('in', ticks(count, every, 100)).pipe(kept, sink)])).toBeUndefined();
  return world;
}

/** Exports what a job keeps in its state: values of 10 kB. */
async function exported(set: Set, count = 3): Promise<World> {
  const world = await stateful({}, count);
  const config = flat({ 'state.exports.dir': 'memory://lake/ex', ...set });
  using state = openState('memory://lake/cp/test', { config, stores: world.stores, clock: world.clock });
  world.finish(state.export());
  return world;
}

/** Exports a list of 12 MiB. */
async function exportedList(set: Set): Promise<World> {
  const world = new World();
  const kept = keyed('state', {
    key: () => 0,
    state: { list: listState<string>() },
    onRecord: (n: number, { list }) => {
      list.append(String(n).padEnd(MiB, 'x'));
      return [] as number[];
    },
  });
  const job = world.job({});
  expect(await world.run(job, [job.source('in', ticks(12, 0)).pipe(kept, values())])).toBeUndefined();
  const config = flat({ 'state.exports.dir': 'memory://lake/ex', ...set });
  using state = openState('memory://lake/cp/test', { config, stores: world.stores, clock: world.clock });
  world.finish(state.export());
  return world;
}

/** The encryption requested by an export and an import, each to another bucket than that of the checkpoints. */
async function exportEncrypted(set: Set): Promise<readonly unknown[]> {
  const world = await stateful({}, 3);
  const buckets = { lake: world.inner, out: createMemoryStore(), sp: createMemoryStore() };
  const server = await altered({}, buckets);
  try {
    const config = configured({
      's3.endpoint': server.endpoint,
      's3.access-key': credentials.accessKeyId,
      's3.secret-key': credentials.secretAccessKey,
      's3.path-style-access': true,
      'state.exports.dir': 's3://out/ex',
      ...set,
    });
    using state = openState('s3://lake/cp/test', { config });
    await lastValueFrom(state.export());
    await lastValueFrom(importState('s3://out/ex', 's3://sp/x', { config }));
    const asked = (bucket: string) => [
      ...new Set(
        server.requests
          .filter(({ method, path }) => method === 'PUT' && path.startsWith(`/${bucket}/`))
          .map(({ headers }) => headers['x-amz-server-side-encryption']),
      ),
    ];
    return [...asked('out'), ...asked('sp')];
  } finally {
    await server.close();
  }
}

/** The encryption requested by a job below its checkpoint directory, and elsewhere. */
async function encrypted(set: Set): Promise<readonly (string | undefined)[]> {
  const listener = await listen();
  const config = configured({
    's3.endpoint': listener.endpoint,
    'state.checkpoints.dir': 's3://lake/cp',
    ...set,
  });
  const { stores, close } = jobStores(resolveOptions({ name: 'test', config }));
  try {
    const asked: (string | undefined)[] = [];
    for (const bucket of ['lake', 'other']) {
      const { store, reserved } = stores.open(`s3://${bucket}/cp`);
      for (const each of [store, reserved]) {
        await lastValueFrom(each.put('cp/x', Buffer.from('x')));
        asked.push(header(listener.seen, 'x-amz-server-side-encryption'));
      }
    }
    return asked;
  } finally {
    close();
  }
}

const state = (name: string): string => `state.backend.s3.${name}`;
const bucket = { [state('bucket')]: 'lake' };
const fragment = 's3.spi.read.max-fragment-';
const alone = { 's3.async.enabled': false };

export const transferEffects: Effects = {
  's3.upload.min.part.size': async () => {
    expect((await written({})).sizes('uploadPart')).toEqual([8, 8, 4].map((n) => n * MiB));
    expect((await written({ 's3.upload.min.part.size': '5MiB' })).sizes('uploadPart')).toEqual(
      [5, 5, 5, 5].map((n) => n * MiB),
    );
  },
  's3.upload.max.concurrent.uploads': async () => {
    const set = { 's3.upload.min.part.size': '5MiB' };
    expect((await written(set, 60)).most('uploadPart')).toBe(4);
    expect((await written({ ...set, 's3.upload.max.concurrent.uploads': 2 }, 60)).most('uploadPart')).toBe(2);
    expect(
      writing({ 's3.spi.write.multipart-part-size': '5MiB', 's3.upload.max.concurrent.uploads': 2 }, 40).most(
        'uploadPart',
      ),
    ).toBe(2);
  },
  's3.upload.memory-budget': async () => {
    const set = { 's3.upload.min.part.size': '5MiB', 'execution.source-budget': '1MiB' };
    expect((await written(set, 60)).most('uploadPart')).toBe(4);
    expect(
      (await written({ ...set, 's3.upload.memory-budget': '10MiB' }, 60)).most('uploadPart'),
    ).toBeLessThan(3);
  },
  's3.spi.write.multipart-part-size': () => {
    expect(writing({}).sizes('uploadPart')).toEqual([8 * MiB, 4 * MiB]);
    expect(writing({ 's3.spi.write.multipart-part-size': '5MiB' }).sizes('uploadPart')).toEqual(
      [5, 5, 2].map((n) => n * MiB),
    );
  },
  [`${fragment}size`]: async () => {
    // The first of a window of two is half a fragment.
    const set = { [`${fragment}number`]: 2 };
    expect((await source({ ...set, [`${fragment}size`]: '4MiB' })).sizes('get')).toEqual(
      [2, 4, 4, 4, 4, 2].map((n) => n * MiB),
    );
    expect((await source(set)).sizes('get')).toEqual([4, 8, 8].map((n) => n * MiB));
    expect(Math.max(...reading({ [`${fragment}size`]: '1MiB' }).sizes('get'))).toBe(MiB);
    expect(Math.max(...reading({}).sizes('get'))).toBe(5 * MiB);
  },
  [`${fragment}number`]: async () => {
    const set = { [`${fragment}size`]: '1MiB', [`${fragment}number`]: 2 };
    expect((await source(set)).most('get')).toBe(2);
    expect((await source({ ...set, [`${fragment}number`]: 16 })).most('get')).toBeGreaterThan(4);
    expect(reading(set).most('get')).toBe(2);
  },
  's3.read.buffer.size': () => {
    expect(peeked({})).toEqual([256 * 1024]);
    expect(peeked({ 's3.read.buffer.size': '1MiB' })).toEqual([MiB]);
  },
  's3.read.memory-budget': () => {
    const set = { [`${fragment}size`]: '1MiB' };
    expect(reading(set).most('get')).toBeGreaterThan(4);
    expect(reading({ ...set, 's3.read.memory-budget': '2MiB' }).most('get')).toBeLessThan(3);
  },
  's3.bulk-copy.enabled': () => {
    expect(objects(bulk({}))).toBe(16);
    expect(objects(bulk({ 's3.bulk-copy.enabled': false }))).toBe(1);
  },
  's3.bulk-copy.max-concurrent': () => {
    expect(objects(bulk({ 's3.bulk-copy.max-concurrent': 3 }))).toBe(3);
  },
  's3.async.enabled': async () => {
    expect((await written(alone, 60)).most('uploadPart')).toBe(1);
    expect((await source({ ...alone, [`${fragment}size`]: '1MiB' })).most('get')).toBe(1);
    expect(writing(alone, 40).most('uploadPart')).toBe(1);
    expect(reading({ ...alone, [`${fragment}size`]: '1MiB' }).most('get')).toBe(1);
    expect(objects(bulk(alone))).toBe(1);
  },
  's3.entropy.key': async () => {
    const set = { 'state.checkpoints.dir': 'memory://lake/cp/_e_/x', 's3.entropy.key': '_e_' };
    const world = await stateful(set, 3);
    expect(world.keys('cp/').filter((key) => key.includes('_e_'))).toEqual([]);
    expect(world.keys('cp/x/test/log/')).not.toEqual([]);
    expect(world.keys('cp/').find((key) => key.includes('/data/'))).toMatch(
      /^cp\/[a-z0-9]{4}\/x\/test\/data\//,
    );
  },
  's3.entropy.length': async () => {
    const set = {
      'state.checkpoints.dir': 'memory://lake/cp/_e_/x',
      's3.entropy.key': '_e_',
      's3.entropy.length': 7,
    };
    expect((await stateful(set, 3)).keys('cp/').find((key) => key.includes('/data/'))).toMatch(
      /^cp\/[a-z0-9]{7}\//,
    );
  },

  [state('bucket')]: async () => {
    expect(await logOf(bucket)).toMatch(/^checkpoints\/test\/log\//);
  },
  [state('base-path')]: async () => {
    expect(await logOf({ ...bucket, [state('base-path')]: 'my-job/state' })).toMatch(
      /^my-job\/state\/checkpoints\/test\/log\//,
    );
  },
  [state('checkpoint-prefix')]: async () => {
    expect(await logOf({ ...bucket, [state('checkpoint-prefix')]: 'cp' })).toMatch(/^cp\/test\/log\//);
  },
  [state('savepoint-prefix')]: () => {
    const dir = configured({ ...bucket, [state('savepoint-prefix')]: 'sp' }).savepoints.dir;
    expect(dir).toBe('s3://lake/sp');
  },
  [state('state-prefix')]: async () => {
    const world = await exported({
      'state.exports.dir': undefined,
      ...bucket,
      [state('state-prefix')]: 'ex/all',
    });
    expect(world.keys('ex/all/')).toContain('ex/all/_export.json');
  },
  'state.exports.dir': async () => {
    expect((await exported({ 'state.exports.dir': 's3://lake/there' })).keys('there/')).toContain(
      'there/_export.json',
    );
  },
  [state('state-file-compression')]: async () => {
    const entry = async (set: Set) => (await exported(set)).sizes('put', 'ex/text/')[0]!;
    expect(await entry({ [state('state-file-compression')]: false })).toBeGreaterThan(10_000);
    expect(await entry({})).toBeLessThan(1000);
    const size = async (set: Set) => (await stateful(set, 3)).sizes('put', 'cp/test/data/')[0]!;
    expect(await size({ [state('state-file-compression')]: false })).toBeGreaterThan(30_000);
    expect(await size({})).toBeLessThan(10_000);
  },
  [state('state-file-encryption')]: async () => {
    const on = { [state('state-file-encryption')]: true };
    expect(await encrypted({})).toEqual([undefined, undefined, undefined, undefined]);
    expect(await encrypted(on)).toEqual(['AES256', 'AES256', undefined, undefined]);
    expect(await encrypted({ ...on, 's3.sse.type': 'sse-kms' })).toEqual([
      'aws:kms',
      'aws:kms',
      'aws:kms',
      'aws:kms',
    ]);
    expect(await exportEncrypted({})).toEqual([undefined, undefined]);
    expect(await exportEncrypted(on)).toEqual(['AES256', 'AES256']);
    expect(await exportEncrypted({ ...on, 's3.sse.type': 'sse-kms' })).toEqual(['aws:kms', 'aws:kms']);
  },
  [state('state-file-extension')]: async () => {
    const entries = (await exported({ [state('state-file-extension')]: '.cell' })).keys('ex/text/');
    expect(entries.filter((key) => key.endsWith('.cell'))).toHaveLength(3);
    expect((await stateful({}, 3)).keys('cp/test/data/')[0]).toMatch(/\.state$/);
    expect((await stateful({ [state('state-file-extension')]: '.seg' }, 3)).keys('cp/test/data/')[0]).toMatch(
      /\.seg$/,
    );
  },
  [state('state-file-part-size')]: async () => {
    const ofEntry = async (set: Set) =>
      (await exportedList({ [state('state-file-compression')]: false, ...set })).sizes('uploadPart', 'ex/');
    expect((await ofEntry({})).map((size) => Math.round(size / MiB))).toEqual([10, 2]);
    expect(
      (await ofEntry({ [state('state-file-part-size')]: '5MiB' })).map((size) => Math.round(size / MiB)),
    ).toEqual([5, 5, 2]);
    const parts = async (set: Set) =>
      (await stateful({ [state('state-file-compression')]: false, ...set })).sizes('uploadPart', 'cp/');
    const [first, ...more] = await parts({});
    expect(first! / MiB).toBeCloseTo(10.25, 0);
    expect(more).toHaveLength(1);
    const [smaller, ...others] = await parts({ [state('state-file-part-size')]: '5MiB' });
    expect(smaller! / MiB).toBeCloseTo(5.25, 0);
    expect(others).toHaveLength(2);
  },
  [state('compaction-trigger')]: async () => {
    /** Merges read segments; nothing else does in a job that starts anew. */
    const read = async (set: Set) =>
      (await stateful({ 'execution.checkpointing.interval': '100ms', ...set }, 20, 50)).sizes(
        'get',
        'cp/test/data/',
      ).length;
    // Eleven segments: eight of them once; or three, and then two more with what was merged, four times in all, for nothing
    // is merged after the last one.
    expect(await read({})).toBe(8);
    expect(await read({ [state('compaction-trigger')]: 3 })).toBe(12);
    expect(await read({ [state('compaction-trigger')]: 16 })).toBe(0);
  },
};
