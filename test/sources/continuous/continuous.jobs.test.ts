import { sessions, type Click, type Session } from '../../../examples/sessions.js';
import { filesSettings } from '../../../src/sources/files.js';
import { FilesReader } from '../../../src/sources/filesReader.js';
import { continuous } from '../../../src/sources/continuous/continuous.js';
import { discovering } from '../../../src/sources/continuous/options.js';
import type { Source } from '../../../src/sources/source.js';
import {
  fileSink,
  files,
  keyed,
  mergeFlows,
  ndjson,
  valueState,
  watermarks,
  type Flow,
  type Job,
  type JobOptions,
} from '../../../src/index.js';
import { Lake } from '../../job/harness.js';

const second = 1000;
const discover = { every: '10s' } as const;

/** A job that runs until it is stopped, in virtual time. */
class Running {
  outcome: unknown;
  readonly job: Job;
  readonly #lake: Lake;
  readonly #stop = new AbortController();
  readonly #result: Promise<void>;

  constructor(lake: Lake, flow: (job: Job) => Flow<never>, options: Partial<JobOptions> = {}) {
    const { job } = lake.job({ ...options, checkpoints: { interval: '1s', ...options.checkpoints } });
    this.job = job;
    this.#lake = lake;
    this.#result = job.run(flow(job), { signal: this.#stop.signal }).then(
      (result) => void (this.outcome = result),
      (error: unknown) => void (this.outcome = error),
    );
  }

  async pass(time: number): Promise<void> {
    for (let left = time; left > 0; left -= 500) {
      this.#lake.clock.advance(Math.min(left, 500));
      for (let i = 0; i < 5; i++) await Promise.resolve();
    }
  }

  async stop(): Promise<unknown> {
    this.#stop.abort();
    await this.pass(60 * second);
    await this.#result;
    return this.outcome;
  }
}

const written = (flow: Flow<unknown>, to = 'out'): Flow<never> =>
  flow.pipe(fileSink('out', `memory://lake/${to}`, { format: ndjson(), roll: { age: '1s' } }));

describe('the horizon', () => {
  /** Remembers at most three objects. */
  const three: Source<{ readonly n: number }> = {
    description: 'three',
    open: (context) => {
      const settings = discovering({ ...discover, longestUpload: '1m' });
      const options = filesSettings<{ readonly n: number }>('memory://lake/in/', { format: ndjson() });
      return new FilesReader({ ...options, discover: continuous({ ...settings, most: 3 }) }, context);
    },
  };
  const put = (lake: Lake, n: number): void => lake.put(`in/${n}`, [{ n }]);

  it('that is full ends the job, and says what to do', async () => {
    const lake = new Lake();
    for (const n of [1, 2, 3]) put(lake, n);
    const running = new Running(lake, (job) => written(job.source('in', three)));
    await running.pass(20 * second);
    expect(running.outcome).toBeUndefined();
    put(lake, 4);
    await running.pass(20 * second);
    expect(running.outcome).toMatchObject({
      code: 'HorizonFull',
      source: 'in',
      objects: 3,
      retryable: false,
    });
    expect(String(running.outcome)).toMatch(/longestUpload \(1 min\).*Shorten longestUpload/);
    // Started again, it has not read the fourth, and fails again: nothing is read twice.
    const again = new Running(lake, (job) => written(job.source('in', three)));
    await again.pass(20 * second);
    expect(again.outcome).toMatchObject({ code: 'HorizonFull' });
    expect(lake.lines('out/').map((line) => (line as { n: number }).n)).toEqual([1, 2, 3]);
  });

  it('makes room as time passes', async () => {
    const lake = new Lake();
    const running = new Running(lake, (job) => written(job.source('in', three)));
    for (let n = 1; n <= 9; n++) {
      put(lake, n);
      await running.pass(80 * second);
    }
    expect(running.outcome).toBeUndefined();
    expect(lake.lines('out/')).toHaveLength(9);
    await running.stop();
  });
});

describe('watermarks', () => {
  const at = (n: number): number => 1_700_000_000_000 + n * second;
  const click = (user: string, n: number): Click => ({ user, at: at(n) });

  it('of a source that is idle hold nobody up, and come back with its next object', async () => {
    const lake = new Lake();
    const clicks = (job: Job, id: string): Flow<Click> =>
      job
        .source(id, files<Click>(`memory://lake/${id}/`, { format: ndjson<Click>(), discover }))
        .pipe(watermarks(`time of ${id}`, { timestamp: ({ at: time }) => time, idle: '30s' }));
    const flow = (job: Job): Flow<never> =>
      written(mergeFlows(clicks(job, 'busy'), clicks(job, 'quiet')).pipe(sessions('sessions', 5 * second)));
    const closed = (): string[] => (lake.lines('out/') as Session[]).map(({ user }) => user);
    let running = new Running(lake, flow);
    lake.put('quiet/1', [click('quiet', 0)]);
    lake.put('busy/1', [click('a', 0), click('b', 100)]);
    await running.pass(20 * second);
    // Both sources are active: the quiet one is at 0.
    expect(closed()).toEqual([]);
    for (let n = 2; n <= 5; n++) {
      lake.put(`busy/${n}`, [click('b', 100 + n)]);
      await running.pass(10 * second);
    }
    expect(closed().sort()).toEqual(['a', 'quiet']);
    // It is still idle after a restart, as it was before.
    await running.stop();
    running = new Running(lake, flow);
    lake.put('busy/6', [click('c', 200)]);
    await running.pass(20 * second);
    expect(closed().sort()).toEqual(['a', 'b', 'quiet']);
    // Its next object counts again: event time waits for it.
    lake.put('quiet/2', [click('quiet', 201)]);
    await running.pass(20 * second);
    lake.put('busy/7', [click('d', 300)]);
    await running.pass(15 * second);
    expect(closed().sort()).toEqual(['a', 'b', 'quiet']);
    await running.pass(60 * second);
    expect(closed().sort()).toEqual(['a', 'b', 'c', 'quiet', 'quiet']);
    await running.stop();
  });
});

describe('a savepoint', () => {
  it('of a continuous job starts another one, which reads exactly what the first did not', async () => {
    const lake = new Lake();
    const counted = (to: string) => (job: Job) =>
      written(
        job.source('in', files<Click>('memory://lake/in/', { format: ndjson<Click>(), discover })).pipe(
          keyed('per user', {
            key: ({ user }) => user,
            state: { count: valueState(0) },
            onRecord: ({ user }, { count }) => [{ user, count: count.update((n) => n + 1) }],
          }),
        ),
        to,
      );
    const user = { user: 'a', at: 0 };
    lake.put('in/m', [user, user]);
    lake.put('in/n', [user]);
    const first = new Running(lake, counted('one'));
    await first.pass(20 * second);
    const made = first.job.savepoint('memory://lake/savepoints', { stop: true });
    await first.pass(20 * second);
    expect(first.outcome).toEqual({ outcome: 'stopped' });
    // A late key, a new one, and one that the first job reads as well.
    lake.put('in/a', [user]);
    lake.put('in/z', [user]);
    const other = new Running(lake, counted('two'), { name: 'second', from: await made });
    await other.pass(20 * second);
    const counts = (prefix: string) => (lake.lines(prefix) as { count: number }[]).map(({ count }) => count);
    expect([counts('one/'), counts('two/')]).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
    // The first one continues on its own, from the same position.
    const again = new Running(lake, counted('one'));
    await again.pass(20 * second);
    expect(counts('one/').sort()).toEqual([1, 2, 3, 4, 5]);
    await again.stop();
    expect(await other.stop()).toEqual({ outcome: 'stopped' });
  });
});
