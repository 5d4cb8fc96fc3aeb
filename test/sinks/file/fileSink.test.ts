import { decorate } from '../../../src/store/decorators/decorate.js';
import { delayed } from '../../../src/store/decorators/delay.js';
import { parseUri } from '../../../src/path/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { Run, World } from '../harness.js';

const small = { minimumPartSize: 64 };
const sink = { partSize: 64, roll: { size: 300 }, budget: 2048 };

function feed(run: Run, from: number, to: number, partitions = 1): void {
  for (let i = from; i < to; i++) run.line(`p${i % partitions}`, `line ${String(i).padStart(6, '0')}`);
}

function expected(count: number, partitions = 1): Record<string, string> {
  const out: Record<string, string> = {};
  for (let i = 0; i < count; i++)
    out[`p${i % partitions}`] = `${out[`p${i % partitions}`] ?? ''}line ${String(i).padStart(6, '0')}\n`;
  return out;
}

function finish(run: Run): void {
  run.end();
  for (let i = 0; i < 4 && run.pending.length > 0; i++) run.settle();
  expect(run.error).toBeUndefined();
  expect(run.pending).toEqual([]);
  run.sweep(run.epoch);
}

describe('fileSink', () => {
  test('publishes everything at the end, and nothing before a checkpoint is durable', () => {
    const world = new World(small);
    const run = new Run(world, { sink });
    feed(run, 0, 100, 3);
    expect(world.keys()).toEqual([]);
    finish(run);
    expect(world.published()).toEqual(expected(100, 3));
    expect(world.uploads()).toEqual([]);
    expect(world.keys('cp')).toEqual([]);
  });

  test('the URI of a published file leads to it, whatever its partition', () => {
    const world = new World(small);
    const run = new Run(world, { sink: { ...sink, partitionBy: () => 'kind=50% a%2Fb' } });
    feed(run, 0, 1);
    finish(run);
    const uris = run.events.flatMap((event) => (event.type === 'committed' ? [String(event['uri'])] : []));
    expect(uris.map((uri) => parseUri(uri).key)).toEqual(world.keys());
  });

  test('a restart seals open files and continues with new ones', () => {
    const world = new World(small);
    const first = new Run(world, { sink });
    feed(first, 0, 10, 2);
    first.barrier();
    feed(first, 10, 40, 2);
    const second = new Run(world, { sink });
    second.settle();
    expect(second.error).toBeUndefined();
    expect(world.published()).toEqual(expected(10, 2));
    feed(second, 10, 100, 2);
    finish(second);
    expect(world.published()).toEqual(expected(100, 2));
    expect(world.uploads()).toEqual([]);
  });

  test('after it has acked a stop, it makes no more requests: no file is rolled by age, and no tail is moved to a journal', () => {
    let later = 0;
    // Tails of many small files are inline in the manifest, though they take more memory than they may.
    const many = { partSize: 16_384, roll: { size: 16_384 }, budget: 32_768 };
    for (let records = 1; records < 120; records++) {
      const [options, partitions] = records < 60 ? [{ ...sink, budget: 300 }, 6] : [many, records];
      const world = new World(small);
      let requests = 0;
      const wrap = (store: ObjectStore): ObjectStore =>
        delayed(
          decorate(store, (_, run) => {
            requests++;
            return run;
          }),
          { clock: world.clock, before: () => 5 },
        );
      const first = new Run(world, { sink: options, wrap, auto: false });
      feed(first, 0, records, partitions);
      first.barrier('stop');
      const sent = requests;
      while (first.acked.length === 0) world.clock.advance(1);
      if (requests > sent) later++;
      const acked = requests;
      world.clock.advance(10 * 3_600_000);
      expect({ records, requests }).toEqual({ records, requests: acked });
      expect(first.error).toBeUndefined();
    }
    expect(later).toBeGreaterThan(10);
  });
});
