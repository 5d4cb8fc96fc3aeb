import { map, of, toArray, type Observable } from 'rxjs';
import {
  crashAt,
  createJob,
  createMemoryStore,
  createStores,
  delayed,
  fileSink,
  files,
  keyed,
  listAll,
  ndjson,
  records,
  valueState,
  type JobEvent,
  type MortalStore,
  type ObjectStore,
  type Stores,
} from '../../src/index.js';
import { SimulatedClock } from '../../src/testing/index.js';
import { seeded } from './random.js';

/** One simulated life of a job: input on a memory store, processes that die at chosen requests, output to be counted. */
export interface Scenario {
  readonly seed: number;
  readonly records: number;
  readonly objects: number;
  readonly partitions: number;
  /** Characters of filler in each record. */
  readonly padding: number;
  /** Milliseconds of virtual time. */
  readonly interval: number;
  /** For each process but the last: the request it dies at, and whether that request takes effect. */
  readonly crashes: readonly { readonly at: number; readonly when: 'before' | 'after' }[];
  /** As Ceph: Complete refuses to leave parts out. */
  readonly completeSubset?: boolean;
}

interface Event {
  readonly id: number;
  readonly user: string;
  readonly partition: number;
  readonly padding: string;
}

export interface Output {
  readonly id: number;
  readonly user: string;
  readonly partition: number;
  readonly count: number;
}

export interface Result {
  /** Requests that each process made. */
  readonly calls: readonly number[];
  /** By partition, in the order of keys and lines. */
  readonly output: ReadonlyMap<number, readonly Output[]>;
  readonly expected: ReadonlyMap<number, readonly Output[]>;
  readonly checkpoints: number;
  readonly leakedUploads: number;
  readonly events: readonly JobEvent[];
}

const minimumPartSize = 256;

/** Runs the scenario to its end. Throws if a process fails, or does not end. */
export function simulate(scenario: Scenario): Result {
  const clock = new SimulatedClock(1_700_000_000_000);
  const random = seeded(scenario.seed);
  const { completeSubset = true } = scenario;
  const world = createMemoryStore({ uri: 'memory://lake', clock, minimumPartSize, completeSubset });
  const expected = fill(world, scenario);
  const calls: number[] = [];
  const events: JobEvent[] = [];

  for (const crash of [...scenario.crashes, { at: Infinity, when: 'before' as const }]) {
    const mortal = crashAt(world, crash.at, crash.when);
    const over = startProcess(mortal, scenario, clock, random, (event) => events.push(event));
    clock.run(() => mortal.dead || over.outcome !== undefined);
    calls.push(mortal.calls);
    if (over.outcome instanceof Error) throw over.outcome;
    if (!mortal.dead && over.outcome === undefined)
      throw new Error('The job stands still: no timer is left, and it is not over.');
    mortal.kill();
    if (over.outcome !== undefined) break;
  }
  return {
    calls,
    expected,
    events,
    output: read(world),
    checkpoints: events.filter(({ type }) => type === 'checkpoint-durable').length,
    leakedUploads: uploads(world),
  };
}

/** A process with the job in it, on a store that can die. */
function startProcess(
  mortal: MortalStore,
  scenario: Scenario,
  clock: SimulatedClock,
  random: () => number,
  on: (event: JobEvent) => void,
): { outcome: 'finished' | 'stopped' | Error | undefined } {
  const store = delayed(mortal.store, { clock, before: () => Math.floor(random() * 4) });
  const stores: Stores = createStores({
    schemes: { memory: () => store },
    capabilities: () =>
      of({ conditionalPut: true, completeSubset: scenario.completeSubset ?? true, minimumPartSize }),
    clock,
  });
  const job = createJob({
    name: 'sim',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: scenario.interval },
    restart: 'none',
    budget: 4096,
    clock,
    random,
    stores,
  });
  const over: { outcome: 'finished' | 'stopped' | Error | undefined } = { outcome: undefined };
  job.events$.subscribe((event) => {
    on(event);
    if (event.type === 'finished' || event.type === 'stopped') over.outcome = event.type;
    else if (event.type === 'failed') over.outcome = event['error'] as Error;
  });
  const output = job
    .source(
      'raw',
      files('memory://lake/raw/*.ndjson', {
        format: ndjson<Event>(),
        prefetch: { window: 2, fragment: 700 },
      }),
    )
    .pipe(
      records(map(({ id, user, partition }) => ({ id, user, partition }))),
      keyed('counts', {
        key: (event) => event.user,
        state: { seen: valueState(0) },
        onRecord: (event, { seen }) => [
          { ...event, count: seen.update((n) => n + 1), padding: '.'.repeat(scenario.padding) },
        ],
      }),
      fileSink('out', 'memory://lake/out', {
        format: ndjson(),
        partitionBy: (each) => `p=${each.partition}`,
        partSize: minimumPartSize,
        roll: { size: 4 * minimumPartSize },
        budget: 16 * minimumPartSize,
      }),
    );
  job.run(output).catch(() => undefined); // the event has it
  return over;
}

/** The answer of a memory store, which is there at once. */
function now<T>(answer: Observable<T>): T {
  let value: { readonly it: T } | undefined;
  answer.subscribe((it) => {
    value = { it };
  });
  if (value === undefined) throw new Error('A memory store answers at once.');
  return value.it;
}

/** Writes the input and says what an uninterrupted job makes of it. */
function fill(world: ObjectStore, scenario: Scenario): Map<number, Output[]> {
  const random = seeded(scenario.seed + 1);
  const expected = new Map<number, Output[]>();
  const seen = new Map<string, number>();
  const perObject = Math.ceil(scenario.records / scenario.objects);
  for (let object = 0; object < scenario.objects; object++) {
    const lines: string[] = [];
    for (let id = object * perObject; id < Math.min(scenario.records, (object + 1) * perObject); id++) {
      const user = `user-${Math.floor(random() * 5)}`;
      const partition = Math.floor(random() * scenario.partitions);
      const count = (seen.get(user) ?? 0) + 1;
      seen.set(user, count);
      lines.push(JSON.stringify({ id, user, partition, padding: 'x'.repeat(Math.floor(random() * 20)) }));
      const group = expected.get(partition) ?? [];
      group.push({ id, user, partition, count });
      expected.set(partition, group);
    }
    now(world.put(`raw/${object}.ndjson`, Buffer.from(lines.map((line) => `${line}\n`).join(''))));
  }
  return new Map([...expected].sort(([a], [b]) => a - b));
}

/** Everything that is published, by partition; files in the order of their names. */
function read(world: ObjectStore): Map<number, Output[]> {
  const output = new Map<number, Output[]>();
  for (const { key } of now(listAll(world, 'out/').pipe(toArray())).flat()) {
    const text = Buffer.concat(now(world.get(key)).chunks).toString();
    if (!text.endsWith('\n')) throw new Error(`${key} is not whole.`);
    for (const line of text.split('\n').slice(0, -1)) {
      const { id, user, partition, count } = JSON.parse(line) as Output;
      const group = output.get(partition) ?? [];
      group.push({ id, user, partition, count });
      output.set(partition, group);
    }
  }
  return new Map([...output].sort(([a], [b]) => a - b));
}

function uploads(world: ObjectStore): number {
  return now(world.listUploads({ prefix: '' })).uploads.length;
}
