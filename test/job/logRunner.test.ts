/** Two logs' runners side by side in one process, on one store and one clock. */
import { Subject, tap } from 'rxjs';
import { defaultConfig } from '../../src/config/service.js';
import { flowOf } from '../../src/flow/index.js';
import { fileSink, MillraceError, ndjson, records, type Flow, type JobEvent } from '../../src/index.js';
import { SavepointQueue } from '../../src/job/savepoints.js';
import { processMemory } from '../../src/job/memory/index.js';
import { runLog, type LogPlan } from '../../src/job/logRunner.js';
import { resolveOptions } from '../../src/job/options.js';
import type { Graph } from '../../src/job/wiring.js';
import type { Duration } from '../../src/config/units.js';
import type { Source } from '../../src/sources/source.js';
import { Lake } from './harness.js';

/** The numbers below `count`, one a second. */
const ticking = (world: Lake, count: number): Source<number> => ({
  description: 'ticking',
  open: ({ position, ready }) => {
    let next = typeof position === 'number' ? position : 0;
    let due = false;
    let timer = world.clock.after(1000, function tick() {
      due = true;
      timer = world.clock.after(1000, tick);
      ready();
    });
    return {
      poll: (out) => {
        if (next === count) return 'end';
        if (!due) return 'wait';
        due = false;
        out.record(next++);
        return 'more';
      },
      position: () => next,
      get bytes() {
        return next;
      },
      close: () => {
        timer.unsubscribe();
      },
    };
  },
});

function graphOf(source: Source<number>, leaf: (flow: Flow<number>) => Flow<number>): Graph {
  let find: Parameters<Graph['wired']>[0];
  const flow = flowOf<number>((out) => {
    (find('in') as Flow<number>).subscribe(out);
  });
  return {
    sources: new Map([['in', source]]),
    leaves: [leaf(flow)],
    wired: (using, subscribe) => {
      find = using;
      subscribe();
    },
  };
}

interface Run {
  readonly events: JobEvent[];
  readonly outcome: () => string | undefined;
  readonly stop: Subject<void>;
}

/** Runs the log `name` into `out/<name>`; `each` sees its records. */
function run(
  world: Lake,
  name: string,
  each: (n: number) => void = () => undefined,
  interval: Duration = '3s',
): Run {
  const resolved = resolveOptions({
    name,
    checkpoints: { dir: 'memory://lake/checkpoints', interval },
  });
  const events: JobEvent[] = [];
  const stop = new Subject<void>();
  const environment = {
    clock: world.clock,
    random: () => 0.5,
    stores: world.stores,
    config: defaultConfig(),
    memory: processMemory(world.clock),
  };
  const sink = fileSink<number>('out', `memory://lake/out/${name}`, { format: ndjson() });
  const graph = graphOf(ticking(world, 20), (flow) => flow.pipe(records(tap(each)), sink));
  const savepoints = new SavepointQueue(name, world.clock, environment.random);
  const plan: LogPlan = {
    ...resolved,
    savepoints,
    graph,
    environment,
    stop,
    emit: (event) => events.push(event),
  };
  let outcome: string | undefined;
  runLog(plan).subscribe({
    next: (result) => (outcome = result),
    error: (error: unknown) => (outcome = (error as MillraceError).code),
  });
  return { events, outcome: () => outcome, stop };
}

/** Until nothing is left to do. */
function turn(world: Lake, steps = Infinity): void {
  for (let n = 0; n < steps && world.clock.step(); n++)
    if (n > 100_000) throw new Error('It goes in circles.');
}

const numbers = Array.from({ length: 20 }, (_, n) => n);

/** The events of a run that is alone in the process. */
function alone(name: string): readonly JobEvent[] {
  const world = new Lake();
  const { events, outcome } = run(world, name);
  turn(world);
  expect(outcome()).toBe('finished');
  return events;
}

const flaky = (retryable: boolean, times: number) => {
  let failures = 0;
  return (n: number): void => {
    if (n === 7 && failures++ < times) throw new MillraceError('Flaky', 'It is away.', { retryable });
  };
};

test('one that fails and restarts does not affect the other', () => {
  const world = new Lake();
  const a = run(world, 'a', flaky(true, 3));
  const b = run(world, 'b');
  turn(world);
  expect([a.outcome(), b.outcome()]).toEqual(['finished', 'finished']);
  expect(a.events.filter(({ type }) => type === 'attempt-started').length).toBe(4);
  expect(b.events).toEqual(alone('b'));
  expect([world.lines('out/a/'), world.lines('out/b/')]).toEqual([numbers, numbers]);
});

test('one that fails permanently does not affect the other', () => {
  const world = new Lake();
  const a = run(world, 'a', flaky(false, 1));
  const b = run(world, 'b');
  turn(world);
  expect([a.outcome(), b.outcome()]).toEqual(['Flaky', 'finished']);
  expect(b.events).toEqual(alone('b'));
});

test('one that is fenced does not affect the other, and its successor continues', () => {
  const world = new Lake();
  const a = run(world, 'a');
  const b = run(world, 'b');
  while (!a.events.some(({ type }) => type === 'checkpoint-durable')) world.clock.step();
  const successor = run(world, 'a');
  turn(world);
  expect([a.outcome(), b.outcome(), successor.outcome()]).toEqual(['Fenced', 'finished', 'finished']);
  expect(b.events).toEqual(alone('b'));
  expect([world.lines('out/a/'), world.lines('out/b/')]).toEqual([numbers, numbers]);
});

test('one that is stopped does not affect the other', () => {
  const world = new Lake();
  const a = run(world, 'a');
  const b = run(world, 'b');
  while (!a.events.some(({ type }) => type === 'checkpoint-durable')) world.clock.step();
  a.stop.next();
  turn(world);
  expect([a.outcome(), b.outcome()]).toEqual(['stopped', 'finished']);
  expect(b.events).toEqual(alone('b'));
});

test('a durable checkpoint of the other does not count for one that has none', () => {
  const world = new Lake();
  const away = (n: number): void => {
    if (n === 2) throw new MillraceError('CheckpointFailed', 'It timed out.', { retryable: true });
  };
  const a = run(world, 'a', away, 'none');
  const b = run(world, 'b', undefined, '1s');
  turn(world);
  expect([a.outcome(), b.outcome()]).toEqual(['CheckpointsNeverDurable', 'finished']);
  expect(a.events.filter(({ type }) => type === 'attempt-started').length).toBe(3);
});
