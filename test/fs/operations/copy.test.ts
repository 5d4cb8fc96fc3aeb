import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defer, lastValueFrom, map } from 'rxjs';
import { loadConfig } from '../../../src/config/index.js';
import { createOperations } from '../../../src/fs/operations/index.js';
import { fileUri, parseUri } from '../../../src/path/index.js';
import { counting, decorate } from '../../../src/entries/stores.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ListPage, ObjectBody } from '../../../src/store/objectStore.js';
import { openStores } from '../../../src/store/open.js';
import { all, bytes, content, errorOf, filled, MiB, operationsOn, shown, uploadsOf } from '../support.js';

describe('copy', () => {
  test('copies an object by one request of the server, to a key or into a directory', async () => {
    const a = counting(await filled({ x: 'one' }));
    const { copy } = operationsOn({ a: a.store });
    const progress = await all(copy('memory://a/x', 'memory://a/y'));
    await all(copy('memory://a/x', 'memory://a/d/'));
    expect(await content(a.store)).toEqual({ x: 'one', y: 'one', 'd/x': 'one' });
    expect(a.counts().requests).toMatchObject({ copy: 2 });
    expect(progress.at(-1)).toEqual({
      objects: { done: 1, total: 1 },
      bytes: { done: 3, total: 3 },
      uri: 'memory://a/y',
    });
  });

  test('copies between stores, whole and in parts, with metadata and content headers', async () => {
    const big = bytes(20 * MiB);
    const a = createMemoryStore();
    const described = { metadata: { owner: 'me' }, content: { type: 'text/x' } };
    await lastValueFrom(a.put('small', Buffer.from('one'), described));
    await lastValueFrom(a.put('big', big, described));
    const b = counting(createMemoryStore());
    const { copy, stat } = operationsOn({ a, b: b.store });
    for (const name of ['small', 'big']) {
      await all(copy(`memory://a/${name}`, `memory://b/${name}`));
      expect(await lastValueFrom(stat(`memory://b/${name}`))).toMatchObject(described);
    }
    expect(await content(b.store)).toEqual({ small: 'one', big: shown(big) });
    expect(b.counts().requests).toMatchObject({ put: 1, createUpload: 1, uploadPart: 3, completeUpload: 1 });
    expect(await uploadsOf(b.store)).toEqual([]);
  });

  test('an object whose length differs from its listing is not accepted', async () => {
    const a = decorate(await filled({ 'd/x': 'one' }), (call, run) =>
      call.method === 'get'
        ? run.pipe(
            map((value) => {
              const { info } = value as ObjectBody;
              return { info: { ...info, size: 2 }, chunks: [Buffer.from('on')] } as typeof value;
            }),
          )
        : run,
    );
    const b = await filled({});
    const error = await errorOf(operationsOn({ a, b }).copy('memory://a/d/x', 'memory://b/x'));
    expect(error).toMatchObject({ code: 'Integrity', retryable: true });
    expect(await content(b)).toEqual({});
  });

  test('an object of unknown age is not considered identical', async () => {
    const ageless = decorate(await filled({ 'd/x': 'new' }), (call, run) =>
      call.method === 'list'
        ? run.pipe(
            map((value) => {
              const page = value as ListPage;
              const objects = page.objects.map((info) => ({ ...info, etag: 'opaque', modified: 0 }));
              return { ...page, objects } as typeof value;
            }),
          )
        : call.method === 'get' // the ETag that was listed
          ? defer(() => counted.get('d/x') as typeof run)
          : run,
    );
    const counted = await filled({ 'd/x': 'new' });
    const b = await filled({ 'd/x': 'old' });
    await all(operationsOn({ a: ageless, b }).bulkCopy({ from: 'memory://a/d/', to: 'memory://b/d/' }));
    expect(await content(b)).toEqual({ 'd/x': 'new' });
  });

  test('the content type of a local file follows from its name, unless it was written with one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-'));
    try {
      await writeFile(join(directory, 'a.html'), '<p>');
      await writeFile(join(directory, 'big.csv'), bytes(9 * MiB));
      await writeFile(join(directory, 'plain'), '');
      using stores = openStores();
      const local = stores.open(fileUri(directory)).store;
      await lastValueFrom(
        local.put(parseUri(fileUri(join(directory, 'b.html'))).key, Buffer.from('b'), {
          content: { type: 'a/b' },
        }),
      );
      const { copy, stat } = createOperations({ stores, config: loadConfig({ env: {}, file: false }) });
      await all(copy(`${fileUri(directory)}/`, 'memory://b/'));
      const typeOf = async (name: string) => (await lastValueFrom(stat(`memory://b/${name}`))).content?.type;
      expect(await Promise.all(['a.html', 'big.csv', 'plain', 'b.html'].map(typeOf))).toEqual([
        'text/html',
        'text/csv',
        undefined,
        'a/b',
      ]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('copies a directory with its content', async () => {
    const a = await filled({ 'd/': '', 'd/x': '1', 'd//y': '2', 'd/s/z': '3', dx: '4' });
    const b = await filled({ 'e/x': 'old' });
    const { copy } = operationsOn({ a, b });
    const progress = await all(copy('memory://a/d', 'memory://b/e'));
    expect(await content(b)).toEqual({ 'e/': '', 'e/x': '1', 'e//y': '2', 'e/s/z': '3' });
    expect(progress.at(-1)).toMatchObject({ objects: { done: 4, total: 4 }, bytes: { done: 3, total: 3 } });
  });

  test('`overwrite: false` keeps existing objects, on one server and between two', async () => {
    const a = await filled({ x: 'new', big: bytes(9 * MiB), z: '', there: 'old' });
    const b = await filled({ there: 'old' });
    const { copy } = operationsOn({ a, b });
    const keep = { overwrite: false };
    for (const name of ['a', 'b']) {
      for (const from of ['x', 'big', 'z']) {
        expect(await errorOf(copy(`memory://a/${from}`, `memory://${name}/there`, keep))).toMatchObject({
          code: 'AlreadyExists',
        });
        await all(copy(`memory://a/${from}`, `memory://${name}/to-${from}`, keep));
      }
    }
    expect(await content(b)).toMatchObject({ there: 'old', 'to-x': 'new', 'to-z': '' });
    expect((await content(a))['to-big']).toBe(shown(bytes(9 * MiB)));
    expect([...(await uploadsOf(a)), ...(await uploadsOf(b))]).toEqual([]);
  });

  test.each([
    ['x', 'x', 'SamePlace'],
    ['d/x', 'd/', 'SamePlace'],
    ['d', 'd/', 'SamePlace'],
    ['d/', 'd/e', 'IntoItself'],
    ['', 'd/', 'IntoItself'],
    ['d/s/', 'd/', 'Overlap'],
    ['none', 'y', 'NotFound'],
    ['none/', 'y', 'NotFound'],
  ])('%s to %s is refused: %s', async (from, to, code) => {
    const before = { x: '1', 'd/x': '2', 'd/s/s/x': '3' };
    for (const operation of ['copy', 'move'] as const) {
      const a = await filled(before);
      const operations = operationsOn({ a });
      expect(await errorOf(operations[operation](`memory://a/${from}`, `memory://a/${to}`))).toMatchObject({
        code,
      });
      expect(await content(a)).toEqual(before);
    }
  });
});

describe('move', () => {
  test('moves an object', async () => {
    const a = await filled({ x: '1' });
    const b = createMemoryStore();
    const { move } = operationsOn({ a, b });
    await all(move('memory://a/x', 'memory://a/y'));
    const progress = await all(move('memory://a/y', 'memory://b/d/'));
    expect([await content(a), await content(b)]).toEqual([{}, { 'd/y': '1' }]);
    expect(progress.at(-1)).toMatchObject({ objects: { done: 1, total: 1 }, bytes: { done: 1, total: 1 } });
  });

  test('moves a directory of many pages out of its parent', async () => {
    const many = Object.fromEntries(Array.from({ length: 1500 }, (_, i) => [`d/s/${10_000 + i}`, `${i}`]));
    const a = await filled({ ...many, 'd/x': 'x' });
    const { move } = operationsOn({ a });
    const progress = await all(move('memory://a/d/s', 'memory://a/d'));
    const after = await content(a);
    expect(Object.keys(after)).toHaveLength(1501);
    expect(after['d/11499']).toBe('1499');
    expect(progress.at(-1)).toMatchObject({ objects: { done: 1500, total: 1500 } });
  });
});

describe('bulkCopy', () => {
  test('copies trees, objects and globs of a list, and reports what could not be copied', async () => {
    const a = await filled({
      'd/x': '1',
      'd/s/y': '2',
      z: '3',
      'g/a.txt': '4',
      'g/h/b.txt': '5',
      'g/c': '6',
    });
    const b = createMemoryStore();
    const { bulkCopy } = operationsOn({ a, b });
    const error = await errorOf(
      bulkCopy([
        { from: 'memory://a/d/', to: 'memory://b/tree' },
        { from: 'memory://a/none', to: 'memory://b/none' },
        { from: 'memory://a/z', to: 'memory://b/' },
        { from: 'memory://a/g/**/*.txt', to: 'memory://b/texts/' },
      ]),
    );
    expect(error).toMatchObject({
      code: 'CopyFailed',
      failures: [{ uri: 'memory://a/none', error: { code: 'NotFound' } }],
    });
    expect(await content(b)).toEqual({
      'tree/x': '1',
      'tree/s/y': '2',
      z: '3',
      'texts/a.txt': '4',
      'texts/h/b.txt': '5',
    });
  });

  test('skips identical objects, by one listing of the target', async () => {
    const a = counting(await filled({ 'd/x': '1', 'd/y': '2' }));
    const b = counting(await filled({ 'e/x': '1', 'e/y': '3' }));
    const { bulkCopy } = operationsOn({ a: a.store, b: b.store });
    const progress = await all(bulkCopy({ from: 'memory://a/d/', to: 'memory://b/e/' }));
    expect(progress.at(-1)).toMatchObject({
      objects: { done: 2, total: 2 },
      skipped: { objects: 1, bytes: 1 },
    });
    expect(b.counts().requests).toEqual({ list: 1, put: 1 });
    expect(await content(b.store)).toEqual({ 'e/x': '1', 'e/y': '2' });
  });
});
