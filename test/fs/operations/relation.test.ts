import fc from 'fast-check';
import { link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom, type Observable } from 'rxjs';
import { loadConfig } from '../../../src/config/index.js';
import { createFs } from '../../../src/fs/promises/index.js';
import { createOperations, type Operations } from '../../../src/fs/operations/index.js';
import {
  counting,
  createLocalStore,
  createMemoryStore,
  createStores,
  decorate,
  openStores,
  type ObjectStore,
  type OpenedStores,
  type Stores,
} from '../../../src/entries/stores.js';
import { startGateway, type Gateway } from '../../../src/testing/index.js';
import { cli } from '../../cli/support.js';
import { credentials } from '../../store/s3support.js';
import { all, bytes, content, errorOf, filled, MiB, shown } from '../support.js';
import { effort } from '../../support/effort.js';

/** More than a part. */
const big = bytes(9 * MiB);

const config = loadConfig({ env: {}, file: false });
const operationsOver = (stores: Stores): Operations => createOperations({ stores, config });

/** The same store behind another reference: what another name of its bucket or its server opens. */
const alias = (store: ObjectStore): ObjectStore => decorate(store, (_, run) => run);

/** Buckets of S3 by name, no two of which are known to be one. */
function buckets(named: Readonly<Record<string, ObjectStore>>): Stores {
  return createStores({ schemes: { s3: (name) => named[name] ?? createMemoryStore() } });
}

describe('one bucket of S3 under two names', () => {
  let store: ObjectStore;
  let gateway: Gateway;
  let stores: OpenedStores;
  const opened = (): OpenedStores =>
    openStores({
      s3: { endpoint: gateway.endpoint, region: 'us-east-1', credentials, endpointProtocol: 'http' },
    });
  const names = (): readonly (readonly [string, string, string])[] => {
    const { port } = gateway;
    const user =
      [credentials.accessKeyId, credentials.secretAccessKey].map(encodeURIComponent).join(':') + '@';
    return [
      ['an alias on one server', 's3://lake', 's3://point-s3alias'],
      ['a server with its host and without', 's3://lake', `s3x://${user}127.0.0.1:${port}/lake`],
      ['two names of a host', `s3x://${user}127.0.0.1:${port}/lake`, `s3x://${user}localhost:${port}/lake`],
    ];
  };
  beforeEach(async () => {
    store = createMemoryStore();
    gateway = await startGateway({ buckets: { lake: store, 'point-s3alias': store }, credentials });
    stores = opened();
  });
  afterEach(async () => {
    stores.close();
    await gateway.close();
  });

  test.each([0, 1, 2])('an object is not moved onto itself: %#', async (which) => {
    const [, a = '', b = ''] = names()[which] ?? [];
    const { move } = operationsOver(stores);
    for (const body of ['', 'small', big]) {
      await filled({ x: body }, store);
      expect(await errorOf(move(`${a}/x`, `${b}/x`))).toMatchObject({ code: 'SamePlace' });
      expect(await errorOf(move(`${b}/x`, `${a}/x`))).toMatchObject({ code: 'SamePlace' });
      expect(await content(store)).toEqual({ x: shown(body) });
    }
  });

  test.each([0, 1, 2])('nor is a directory, nor into itself or one of its parents: %#', async (which) => {
    const [, a = '', b = ''] = names()[which] ?? [];
    const { move, copy, bulkCopy } = operationsOver(stores);
    const there = { 'd/s/x': '1', 'd/s/s/x': '2', 'd/y': '3', 'd/': '' };
    await filled(there, store);
    for (const [from, to, code] of [
      ['d/', 'd/', 'SamePlace'],
      ['d/', 'd/t/', 'IntoItself'],
      ['', 'd/', 'IntoItself'],
      ['d/s/', 'd/', 'Overlap'],
    ] as const) {
      expect(await errorOf(move(`${a}/${from}`, `${b}/${to}`))).toMatchObject({ code });
      expect(await content(store)).toEqual(there);
      if (from === to) continue;
      expect(await errorOf(copy(`${a}/${from}`, `${b}/${to}`))).toMatchObject({ code });
      expect(await errorOf(bulkCopy({ from: `${a}/${from}`, to: `${b}/${to}` }))).toMatchObject({ code });
      expect(await content(store)).toEqual(there);
    }
    expect(await errorOf(bulkCopy({ from: `${a}/d/**`, to: `${b}/d/t/` }))).toMatchObject({
      code: 'Overlap',
    });
    expect(await content(store)).toEqual(there);
  });

  test.each([0, 1, 2])('a copy onto itself changes no byte: %#', async (which) => {
    const [, a = '', b = ''] = names()[which] ?? [];
    const { copy, bulkCopy } = operationsOver(stores);
    await filled({ 'd/x': 'x', 'd/big': big }, store);
    const before = await content(store);
    for (const work of [
      copy(`${a}/d/x`, `${b}/d/x`),
      copy(`${a}/d/`, `${b}/d/`),
      bulkCopy({ from: `${a}/d/`, to: `${b}/d/` }, { skipSame: false }),
    ]) {
      // Where the names tell, it is refused.
      await all(work).catch((error: unknown) => expect(error).toMatchObject({ code: 'SamePlace' }));
      expect(await content(store)).toEqual(before);
    }
  });

  test.each([0, 1, 2])('a rename does nothing, and keeps an empty directory: %#', async (which) => {
    const [, a = '', b = ''] = names()[which] ?? [];
    await using fs = createFs({ stores });
    await filled({ x: 'x', 'empty/': '' }, store);
    await fs.rename(`${a}/x`, `${b}/x`);
    await fs.rename(`${a}/empty/`, `${b}/empty/`);
    await fs.copyFile(`${a}/x`, `${b}/x`);
    expect(await content(store)).toEqual({ x: 'x', 'empty/': '' });
  });

  test('patterns of the command do not match what they have just moved', async () => {
    const there = { 'd/x.csv': '1', 'd/e/y.csv': '2' };
    await filled(there, store);
    for (const [, a, b] of names()) {
      // A run closes its stores.
      const { code } = await cli(['mv', `${a}/**/*.csv`, `${b}/d/moved/`], { stores: opened() });
      expect(code).toBe(2);
      expect(await content(store)).toEqual(there);
    }
  });
});

test('the objects of a server are not moved onto the local files that back them', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-identity-'));
  const gateway = await startGateway({ buckets: { lake: createLocalStore(directory) }, credentials });
  using stores = openStores({ s3: { endpoint: gateway.endpoint, credentials } });
  const { move } = operationsOver(stores);
  await mkdir(join(directory, 'd'));
  for (const name of ['x', 'd/y']) await writeFile(join(directory, name), name);
  for (const [from, to] of [
    ['s3://lake', `file://${directory}`],
    [`file://${directory}`, 's3://lake'],
  ]) {
    expect(await errorOf(move(`${from}/x`, `${to}/x`))).toMatchObject({ code: 'SamePlace' });
    expect(await errorOf(move(`${from}/d/`, `${to}/d/`))).toMatchObject({ code: 'SamePlace' });
  }
  for (const name of ['x', 'd/y']) expect(await readFile(join(directory, name), 'utf8')).toBe(name);
  await gateway.close();
  await rm(directory, { recursive: true });
});

test('a store that ignores case keeps an object that is moved to another case of its name', async () => {
  const store = createMemoryStore();
  const small = <T>(key: T): T => (typeof key === 'string' ? (key.toLowerCase() as T & string) : key);
  const ignoring: ObjectStore = new Proxy(store, {
    get: (target, name: keyof ObjectStore) => {
      const method = target[name] as (...args: unknown[]) => unknown;
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) =>
        method.apply(target, name === 'copy' ? args.map(small) : [small(args[0]), ...args.slice(1)]);
    },
  });
  await filled({ a: 'precious' }, store);
  const error = await errorOf(operationsOver(buckets({ lake: ignoring })).move('s3://lake/a', 's3://lake/A'));
  expect(error).toMatchObject({ code: 'SamePlace' });
  expect(await content(store)).toEqual({ a: 'precious' });
});

describe('a move replaces only what is proven to be another object', () => {
  const described = { metadata: { owner: 'me' }, content: { type: 'text/x' } };

  test.each([
    ['in a bucket', 's3://a/x', 's3://a/y'],
    ['between stores', 's3://a/x', 's3://b/y'],
    ['a directory', 's3://a/d/', 's3://b/e/'],
  ])('%s', async (_, from, to) => {
    const [a, b] = [createMemoryStore(), await filled({ y: 'old', 'e/x': 'old', 'e/z': 'stays' })];
    await filled({ y: 'old' }, a);
    for (const key of ['x', 'd/x', 'd/y']) await lastValueFrom(a.put(key, Buffer.from(key), described));
    const { move, stat } = operationsOver(buckets({ a, b }));
    await all(move(from, to));
    const at = to.endsWith('/') ? 'd/x' : 'x';
    const target = to.endsWith('/') ? `${to}x` : to;
    expect(await lastValueFrom(stat(target))).toMatchObject(described);
    expect([await content(a), await content(b)].flatMap((found) => Object.values(found))).toContain(at);
    await expect(lastValueFrom(a.head(at))).rejects.toMatchObject({ code: 'NotFound' });
    expect(await content(b)).toMatchObject({ 'e/z': 'stays' });
  });

  test('a mark missing at the target proves nothing: the source stays', async () => {
    const a = await filled({ x: 'new', y: 'old' });
    const forgetful = {
      ...alias(a),
      put: (key: string, body: Uint8Array) => a.put(key, body),
    };
    expect(
      await errorOf(operationsOver(buckets({ a: forgetful })).move('s3://a/x', 's3://a/y')),
    ).toMatchObject({ code: 'NotVerified' });
    expect(await content(a)).toEqual({ x: 'new', y: 'new' });
  });

  test('if nothing is replaced, it takes one request for an object, and one for a page of a directory', async () => {
    const a = counting(
      await filled({ x: '1', ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`d/${i}`, 'x'])) }),
    );
    const { move } = operationsOver(buckets({ a: a.store }));
    await all(move('s3://a/x', 's3://a/y'));
    expect(a.counts().requests).toEqual({ list: 1, head: 3, copy: 1, delete: 1 });
    const b = counting(
      await filled(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`d/${i}`, 'x']))),
    );
    await all(operationsOver(buckets({ a: b.store })).move('s3://a/d/', 's3://a/e/'));
    expect(b.counts().requests).toEqual({ list: 3, head: 50, copy: 50, delete: 1 });
  });
});

describe('local files and directories under two names', () => {
  let directory: string;
  let stores: OpenedStores;
  let operations: Operations;
  const at = (name: string): string => join(directory, name);
  const uri = (name: string): string => `file://${directory}/${name}`;
  const text = (name: string): Promise<string> => readFile(at(name), 'utf8');
  const ours = (name: string): Promise<unknown> => all(operations.write(uri(name), name));
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-identity-'));
    stores = openStores();
    operations = operationsOver(stores);
    await mkdir(at('real/sub'), { recursive: true });
    for (const name of ['real/a', 'real/sub/b']) await writeFile(at(name), name);
    await ours('real/ours');
    await symlink('real', at('link'));
    await symlink('a', at('real/to-a'));
    await link(at('real/a'), at('real/hard'));
  });
  afterEach(async () => {
    stores.close();
    await rm(directory, { recursive: true });
  });
  const untouched = async (): Promise<void> => {
    for (const name of ['real/a', 'real/sub/b', 'real/ours']) expect(await text(name)).toBe(name);
    expect(await text('real/hard')).toBe('real/a');
    expect(await text('real/to-a')).toBe('real/a');
  };

  test.each([
    ['by a linked directory', 'link/a', 'real/a'],
    ['into a linked directory', 'real/a', 'link/a'],
    ['that millrace wrote', 'link/ours', 'real/ours'],
    ['into a directory under its own name', 'link/a', 'real/'],
    ['hard links', 'real/a', 'real/hard'],
    ['a link to it', 'real/to-a', 'real/a'],
    ['by a link to it', 'real/a', 'real/to-a'],
    ['a directory by a link', 'link/', 'real/'],
    ['a directory to its link', 'real/', 'link/'],
  ])('nothing is moved onto itself or copied over: %s', async (_, from, to) => {
    const work: readonly ((from: string, to: string) => Observable<unknown>)[] = [
      operations.move,
      operations.copy,
      (source, target) => operations.bulkCopy({ from: source, to: target }, { skipSame: false }),
    ];
    for (const run of work) {
      const error = (await errorOf(run(uri(from), uri(to)))) as Error & {
        code?: string;
        failures?: readonly { error: { code: string } }[];
      };
      expect(error.failures?.[0]?.error.code ?? error.code).toBe('SamePlace');
      await untouched();
    }
    expect((await cli(['mv', at(from), at(to)], { stores })).code).toBe(2);
    await untouched();
    await using fs = createFs({ stores });
    if (!from.endsWith('/') && !to.endsWith('/')) {
      await fs.rename(at(from), at(to));
      await fs.copyFile(at(from), at(to));
      await untouched();
    }
  });

  test.each([
    ['into itself', 'real/', 'link/sub/', 'IntoItself'],
    ['into itself, where nothing is yet', 'link/', 'real/sub/new/deep/', 'IntoItself'],
    ['around', 'link/sub/sub/', 'real/', 'Overlap'],
  ])('a directory is not copied or moved %s', async (_, from, to, code) => {
    await mkdir(at('real/sub/sub/sub/sub'), { recursive: true });
    await writeFile(at('real/sub/sub/sub/sub/x'), 'x');
    await writeFile(at('real/sub/sub/y'), 'y');
    for (const run of [operations.move, operations.copy]) {
      expect(await errorOf(run(uri(from), uri(to)))).toMatchObject({ code });
      await untouched();
    }
  });

  test('a pattern does not match what it has just copied', async () => {
    expect(await errorOf(operations.bulkCopy({ from: uri('link/**'), to: uri('real/new/') }))).toMatchObject({
      code: 'Overlap',
    });
    expect((await cli(['mv', `${at('link')}/**/b`, `${at('real')}/new/`], { stores })).code).toBe(2);
    await untouched();
  });

  test('copies out of a subdirectory or beside it are allowed, under any name', async () => {
    await all(operations.move(uri('link/sub/'), uri('real/')));
    expect(await text('real/b')).toBe('real/sub/b');
    await all(operations.move(uri('link/a'), uri('real/new')));
    expect(await text('real/new')).toBe('real/a');
    await writeFile(at('real/old'), 'old');
    await all(operations.move(uri('link/new'), uri('real/old')));
    expect(await text('real/old')).toBe('real/a');
  });
});

test.each([
  [
    'small objects',
    ['x', 'd/x', 'd/s/x', 'd/s/s/x', 'e/x', 'd/'],
    ['x', 'd/', 'd/s/', 'e/', 'd/x', ''],
    effort(40, 300),
  ],
  ['one that is copied in parts', ['x', 'd/', 'd/big', 'big'], ['big', 'd/'], effort(6, 50)],
] as const)('no move loses a byte, whatever its names refer to: %s', async (_, names, places, numRuns) => {
  const key = fc.constantFrom(...names);
  const place = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(...places));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(key, { minLength: 1 }),
      fc.uniqueArray(key),
      place,
      place,
      async (keys, others, [from, source], [to, target]) => {
        const one = await filled(
          Object.fromEntries(keys.map((name) => [name, name.endsWith('big') ? big : `a ${name}`])),
        );
        const c = await filled(Object.fromEntries(others.map((name) => [name, `c ${name}`])));
        const { move } = operationsOver(buckets({ a: one, b: alias(one), c }));
        const held = Object.entries(await content(from === 'c' ? c : one))
          .filter(([name]) => name === source || name.startsWith(source))
          .map(([, body]) => body);
        await all(move(`s3://${from}/${source}`, `s3://${to}/${target}`)).catch(() => undefined);
        const left = [await content(one), await content(c)].flatMap((found) => Object.values(found));
        for (const body of held) expect(left).toContain(body);
      },
    ),
    { numRuns },
  );
});
