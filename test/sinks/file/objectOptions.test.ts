import type { ObjectOptions } from '../../../src/sinks/file/objectOptions.js';
import { settingsOf } from '../../../src/sinks/file/options.js';
import type { ObjectInfo } from '../../../src/store/objectStore.js';
import { lines, now, Run, World } from '../harness.js';

const small = { minimumPartSize: 64 };
const sink = { partSize: 64, roll: { size: 300 }, budget: 2048 };

const object: ObjectOptions = {
  metadata: { owner: 'größer' },
  tags: { team: 'data' },
  storageClass: 'STANDARD_IA',
  contentType: 'text/plain; charset=utf-8',
  contentEncoding: 'identity',
  cacheControl: 'max-age=60',
};
const other: ObjectOptions = { tags: { team: 'other' } };

function feed(run: Run, from: number, to: number, partition = 'p'): void {
  for (let i = from; i < to; i++) run.line(partition, `line ${String(i).padStart(6, '0')}`);
}

function finish(run: Run): void {
  run.end();
  for (let i = 0; i < 4 && run.pending.length > 0; i++) run.settle();
  expect(run.error).toBeUndefined();
}

const published = (world: World): ObjectInfo[] => world.keys().map((key) => now(world.store.head(key)));

function assertDescribed(info: ObjectInfo, options: ObjectOptions): void {
  const { metadata = {}, tags, storageClass, contentType, contentEncoding, cacheControl } = options;
  expect(info.metadata).toEqual({ ...metadata, 'millrace-uid': expect.any(String) as string });
  expect([info.tags, info.storageClass]).toEqual([tags, storageClass]);
  const content = { type: contentType, encoding: contentEncoding, cacheControl };
  expect(info.content).toEqual(Object.fromEntries(Object.entries(content).filter(([, value]) => value)));
}

describe('object', () => {
  test('small files and files of many parts get it', () => {
    const world = new World(small);
    const run = new Run(world, { sink: { ...sink, object } });
    feed(run, 0, 50);
    run.line('q', 'small');
    finish(run);
    const all = published(world);
    expect(all.length).toBeGreaterThan(2);
    for (const info of all) assertDescribed(info, object);
  });

  test('it may depend on the partition', () => {
    const world = new World(small);
    const byPartition = (tenant: string): ObjectOptions => ({ tags: { tenant } });
    const run = new Run(world, { sink: { ...sink, object: byPartition } });
    for (const p of ['a', 'b']) feed(run, 0, 20, p);
    finish(run);
    for (const info of published(world)) assertDescribed(info, byPartition(info.key.split('/')[1]!));
  });

  test('invalid options of a partition are an error', () => {
    const run = new Run(new World(small), { sink: { ...sink, object: (x) => ({ tags: { x } }) } });
    run.line('a&b', 'x');
    expect(run.error).toMatchObject({ code: 'InvalidOption' });
  });

  test('a promise is not taken for an object without settings', () => {
    const asynchronous = (() => Promise.resolve(object)) as unknown as () => ObjectOptions;
    const run = new Run(new World(small), { sink: { ...sink, object: asynchronous } });
    run.line('p', 'x');
    expect(run.error).toMatchObject({
      code: 'PromiseInFlow',
      message: expect.stringContaining("object of fileSink('out') returned a promise") as string,
    });
  });

  test.each([1, 4, 7, 19])(
    'what %i records before the crash began keeps the options it began with, with others after it',
    (records) => {
      const world = new World(small);
      const first = new Run(world, { sink: { ...sink, object } });
      feed(first, 0, records);
      first.barrier();
      feed(first, records, records + 30);
      const second = new Run(world, { sink: { ...sink, object: other } });
      second.settle();
      expect(world.published()).toEqual({ p: expect.stringMatching(/^line 000000\n/) as string });
      for (const info of published(world)) assertDescribed(info, object);
      const before = new Set(world.keys());
      feed(second, records, 50);
      finish(second);
      for (const info of published(world)) assertDescribed(info, before.has(info.key) ? object : other);
    },
  );

  test('invalid options name their key', () => {
    const bad = (options: object, message: RegExp): void => {
      const settings = (): unknown => settingsOf('out', { format: lines, object: options });
      expect(settings).toThrow(expect.objectContaining({ code: 'InvalidOption' }) as Error);
      expect(settings).toThrow(message);
    };
    bad([], /fileSink 'out': object: /);
    bad(Promise.resolve(object), /fileSink 'out': object: .*an object or a function/);
    bad({ contenttype: 'x' }, /Did you mean object\.contentType\?/);
    bad({ contentType: 1 }, /object\.contentType: /);
    bad({ contentType: ' x' }, /object: The content header "type"/);
    bad({ tags: { x: 1 } }, /object\.tags: /);
    bad({ tags: { 'aws:x': '' } }, /object: .*reserved/);
    bad({ tags: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [i, ''])) }, /at most 10 tags/);
    bad({ metadata: { Owner: 'x' } }, /lower-case/);
    bad({ metadata: { 'millrace-uid': 'x' } }, /do not start with 'millrace-'/);
    bad({ metadata: { '': 'x' } }, /not empty/);
    bad({ metadata: { x: 'x'.repeat(2000) } }, /object\.metadata has 20\d\d bytes/);
    bad({ storageClass: 'two words' }, /object: .*storage class/);
    const most = 2048 - 'millrace-uid'.length - 'xxxxxxxxxxxx-out-0000000000-000000000'.length;
    const full = { metadata: { x: 'x'.repeat(most - 1) } };
    expect(() => settingsOf('out', { format: lines, object: full })).not.toThrow();
    bad({ metadata: { x: 'x'.repeat(most) } }, /2049 bytes/);
  });
});
