import fc from 'fast-check';
import { byTime } from '../../../src/sinks/file/partitions/byTime.js';
import { hive } from '../../../src/sinks/file/partitions/hive.js';
import { effort } from '../../support/effort.js';
import { Run, World, type Line } from '../harness.js';

const sink = { partSize: 64, roll: { size: 300 }, budget: 2048 };
const hour = byTime<Line>({ timestamp: ({ text }) => (text === '' ? null : Number(text)) });

const timesOf = (content: string): number[] =>
  content
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);

/** The range of each file, by its URI, and how often it was reported. */
function reported(runs: readonly Run[]): Map<string, unknown> {
  const files = new Map<string, unknown>();
  for (const event of runs.flatMap(({ events }) => events))
    if (event.type === 'committed') files.set(String(event['uri']), event['times']);
  return files;
}

describe('the events of published files have the range of their event times', () => {
  const record = fc.oneof(fc.integer({ min: -1e9, max: 4e9 }), fc.constant(undefined));

  test('whenever it crashes, and in any order of the records', () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 60 }),
        fc.nat({ max: 60 }),
        fc.nat({ max: 20 }),
        fc.constantFrom(hour, hive<Line>({ p: ({ p }) => p, hour })),
        (times, crash, lost, partitionBy) => {
          const world = new World({ minimumPartSize: 64 });
          const feed = (run: Run, to: number): void => {
            while (run.position < Math.min(to, times.length))
              run.line('p', String(times[run.position] ?? ''));
          };
          const first = new Run(world, { sink: { ...sink, partitionBy } });
          feed(first, crash);
          first.barrier();
          feed(first, crash + lost);
          const second = new Run(world, { sink: { ...sink, partitionBy } });
          feed(second, times.length);
          second.end();
          for (let i = 0; i < 4; i++) second.settle();
          const ranges = reported([first, second]);
          for (const key of world.keys()) {
            const all = timesOf(world.content(key));
            const range = all.length === 0 ? undefined : { from: Math.min(...all), to: Math.max(...all) };
            expect(ranges.get(`memory://lake/${key}`)).toEqual(range);
          }
          expect(world.keys().flatMap((key) => timesOf(world.content(key)))).toHaveLength(
            times.filter((time) => time !== undefined).length,
          );
        },
      ),
      { numRuns: effort(60, 3000) },
    );
  });

  test('which is absent without event time, and not that of a record that was skipped', () => {
    const skip = (text: string): Uint8Array => {
      if (text === '3') throw new Error('not 3');
      return Buffer.from(`${text}\n`);
    };
    const world = new World();
    const format = { extension: '.txt', encode: ({ text }: Line) => skip(text) };
    const run = new Run(world, { sink: { format, partitionBy: hour, onUnencodable: 'skip' } });
    for (const text of ['1', '2', '3']) run.line('p', text);
    run.end();
    for (let i = 0; i < 3; i++) run.settle();
    expect([...reported([run]).values()]).toEqual([{ from: 1, to: 2 }]);
    const other = new Run(new World(), { sink: { partitionBy: byTime() } });
    other.line('p', '1');
    other.end();
    for (let i = 0; i < 3; i++) other.settle();
    expect([...reported([other]).values()]).toEqual([undefined]);
  });
});
