/** Two jobs in one process, under one memory budget that neither has to itself, while the process dies at any request. */
import { jest } from '@jest/globals';
import type { Observable } from 'rxjs';
import { createJob, fileSink, files, ndjson, silentLogger, type Job } from 'millrace';
import { createMemoryStore, type ObjectStore } from 'millrace/stores';
import { delayed, SimulatedClock } from 'millrace/testing';
import { defaultConfig } from '../../src/config/service.js';
import { processMemory } from '../../src/job/memory/index.js';
import { Fetcher } from '../../src/sources/fetcher.js';
import { BufferPool } from '../../src/store/multipart/index.js';
import { minimumPartSize } from './pipeline.js';
import { SimulatedProcess } from './process.js';
import type { Fate } from './scenario.js';
import { surroundingsOf, turnUntil, type Surroundings } from './surroundings.js';
import { keysOf, now, textOf } from './world.js';
import { effort } from '../support/effort.js';

const names = ['a', 'b'] as const;
type Name = (typeof names)[number];

const KiB = 1024;
const partSize = 64 * KiB;
/** A job makes use of 2,176 KiB, and cannot do with less than 608. */
const total = 2200 * KiB;

function jobOf(
  name: Name,
  surroundings: Surroundings,
  memory: number,
): { job: Job; leaf: Observable<unknown> } {
  const format = ndjson<{ n: number }>();
  const job = createJob({
    name,
    checkpoints: { dir: 'memory://lake/checkpoints', interval: 20 },
    budget: 256 * KiB,
    memory,
    config: defaultConfig(),
    logger: silentLogger,
    ...surroundings,
  });
  const source = files(`memory://lake/raw/${name}/*`, {
    format,
    prefetch: { window: 2, fragment: 128 * KiB },
  });
  const leaf = job.source('in', source).pipe(
    fileSink('out', `memory://lake/out/${name}`, {
      format,
      partitionBy: ({ n }) => `p=${n % 5}`,
      partSize,
      roll: { size: 4 * partSize },
      budget: 16 * partSize,
    }),
  );
  return { job, leaf };
}

const padding = '.'.repeat(8 * KiB);
const numbers = Array.from({ length: 240 }, (_, n) => n);

function fill(world: ObjectStore): void {
  for (const name of names)
    for (let object = 0; object < 3; object++) {
      const lines = numbers
        .filter((n) => n % 3 === object)
        .map((n) => `${JSON.stringify({ n, name, padding })}\n`);
      now(world.put(`raw/${name}/${object}.ndjson`, Buffer.from(lines.join(''))));
    }
}

let pools: Set<BufferPool>;
let fetchers: Set<Fetcher<never>>;
const { take } = BufferPool.prototype;
const { start } = Fetcher.prototype;
beforeEach(() => {
  pools = new Set();
  fetchers = new Set();
  jest.spyOn(BufferPool.prototype, 'take').mockImplementation(function (this: BufferPool, size) {
    pools.add(this);
    return take.call(this, size);
  });
  jest.spyOn(Fetcher.prototype, 'start').mockImplementation(function (this: Fetcher<never>) {
    fetchers.add(this);
    start.call(this);
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

interface Life {
  readonly requests: number;
  /** The most that was held at any moment. */
  readonly peak: number;
  /** Whether everything was over, or the process died. */
  readonly over: boolean;
}

/** One process: the second job starts while the first is at work. */
function live(world: ObjectStore, clock: SimulatedClock, fate?: Fate, memory = total): Life {
  pools.clear();
  fetchers.clear();
  const network = delayed(world, { clock, before: ({ method }) => (method === 'uploadPart' ? 40 : 2) });
  const process = new SimulatedProcess(network, clock, fate);
  const surroundings = surroundingsOf(process, () => 0.5);
  const ended: unknown[] = [];
  const begin = (name: Name): void => {
    const { job, leaf } = jobOf(name, surroundings, memory);
    job.events$.subscribe((event) => {
      if (event.type === 'finished') ended.push(name);
      if (event.type === 'failed') ended.push(event.error);
    });
    job.run(leaf).catch(() => undefined); // the event has it
  };
  begin('a');
  process.clock.after(150, () => {
    begin('b');
  });
  let peak = 0;
  turnUntil(clock, () => {
    const busy = [...pools].filter(({ held }) => held > 0).map(({ occupied }) => occupied);
    const held = busy.concat([...fetchers].map(({ held }) => held));
    peak = Math.max(
      peak,
      held.reduce((sum, bytes) => sum + bytes, 0),
    );
    return ended.length === names.length || process.state === 'dead';
  });
  for (const each of ended) if (typeof each !== 'string') throw each as Error;
  const over = ended.length === names.length;
  if (over) expect(processMemory(process.clock).charged).toBe(0);
  return { requests: process.requests.length, peak, over };
}

function fresh(): { readonly world: ObjectStore; readonly clock: SimulatedClock } {
  const clock = new SimulatedClock(1_700_000_000_000);
  const world = createMemoryStore({ uri: 'memory://lake', clock, minimumPartSize });
  fill(world);
  return { world, clock };
}

function expectExact(world: ObjectStore): void {
  for (const name of names) {
    const lines = keysOf(world, `out/${name}/`).flatMap((key) => textOf(world, key).trim().split('\n'));
    const got = lines.map((line) => (JSON.parse(line) as { n: number }).n);
    expect(got.sort((x, y) => x - y)).toEqual(numbers);
  }
}

test('without a common budget the two hold more than it allows', () => {
  const { world, clock } = fresh();
  expect(live(world, clock, undefined, 1e9).peak).toBeGreaterThan(total);
});

test('together they stay within it, whenever the process dies, and their output is exact', () => {
  const whole = fresh();
  const { requests, peak } = live(whole.world, whole.clock);
  expectExact(whole.world);
  expect(peak).toBeLessThanOrEqual(total);
  for (let at = 1; at <= requests; at += effort(49, 9)) {
    const { world, clock } = fresh();
    const first = live(world, clock, { kind: 'crash', at, when: at % 2 === 0 ? 'before' : 'after' });
    expect(first.peak).toBeLessThanOrEqual(total);
    if (first.over) continue;
    const second = live(world, clock);
    expect(second.over).toBe(true);
    expect(second.peak).toBeLessThanOrEqual(total);
    while (clock.step()); // what is still on its way to the store
    expectExact(world);
  }
});

test('a job that the rest of the process leaves too little for is refused, and the other is left alone', () => {
  const { world, clock } = fresh();
  expect(() => live(world, clock, undefined, 1100 * KiB)).toThrow(
    expect.objectContaining({ code: 'MemoryTooSmall', retryable: false }) as Error,
  );
});
