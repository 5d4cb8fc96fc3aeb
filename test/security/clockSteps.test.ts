/** The system time is set while the process runs: durations do not change. */
import { jest } from '@jest/globals';
import { NEVER, throwError } from 'rxjs';
import { claim } from '../../src/checkpoint/index.js';
import { createMemoryStore, StoreError } from '../../src/entries/stores.js';
import { systemClock } from '../../src/flow/index.js';
import { withRestarts } from '../../src/job/restarts.js';
import { RefreshedCredentials } from '../../src/store/s3/credentials/source.js';
import { Gate } from '../../src/store/s3/gate.js';
import { SimulatedClock } from '../../src/testing/index.js';
import { Run, World } from '../sinks/harness.js';

const hour = 3_600_000;
const day = 24 * hour;
const steps = [
  ['an hour back', -hour],
  ['60 days forward', 60 * day],
] as const;

describe.each(steps)('%s', (_, step) => {
  test('checkpoints are due at the same intervals, and after the same pause', () => {
    const clock = new SimulatedClock(1_000_000);
    const fired: number[] = [];
    const start = clock.monotonic();
    const options = { intervalMs: 10_000, minPauseMs: 25_000, clock, random: () => 0.5 };
    const store = createMemoryStore({ clock });
    claim({ ...options, store, prefix: 'chk/', job: 'j' }).subscribe((coordinator) => {
      coordinator.register({ id: 'in', kind: 'source' });
      coordinator.start((barrier) => {
        fired.push(clock.monotonic() - start);
        barrier.ack('in', {});
        clock.setTime(clock.now() + step);
      });
    });
    clock.advance(100_000);
    expect(fired).toEqual([10_000, 35_000, 60_000, 85_000]);
  });

  test('files are rolled at the same age', () => {
    const world = new World();
    const run = new Run(world, { sink: { roll: { age: '60s', inactivity: '1h' } } });
    run.line('a', '1');
    world.clock.setTime(world.clock.now() + step);
    world.clock.advance(59_999);
    run.barrier();
    expect(world.published()).toEqual({});
    world.clock.advance(1);
    run.barrier();
    expect(world.published()).toEqual({ a: '1\n' });
  });

  test('files are rolled after the same inactivity', () => {
    const world = new World();
    const run = new Run(world, { sink: { roll: { age: '10h', inactivity: '60s' } } });
    run.line('a', '1');
    for (let i = 0; i < 4; i++) {
      world.clock.advance(10_000);
      run.line('b', '1');
    }
    world.clock.setTime(world.clock.now() + step);
    run.barrier();
    expect(world.published()).toEqual({});
    for (let i = 0; i < 4; i++) {
      world.clock.advance(10_000);
      run.line('b', '1');
    }
    run.barrier();
    expect(Object.keys(world.published())).toEqual(['a']);
  });

  test('a bucket that throttles is held back as long as it asked for', () => {
    const clock = new SimulatedClock(1_000_000);
    const gate = new Gate({ places: 2, clock, paced: true, longestHold: 20_000 });
    const entered: string[] = [];
    gate.enter('b', (pass) => {
      pass.answered('throttled', 5_000);
      pass.leave();
    });
    gate.enter('b', () => entered.push('second'));
    clock.setTime(clock.now() + step);
    gate.enter('b', () => entered.push('third'));
    expect(entered).toEqual([]);
    clock.advance(4_999);
    expect(entered).toEqual([]);
    clock.advance(2_001);
    expect(entered).toEqual(['second', 'third']);
  });

  test('a restart backs off by how long the attempt really ran', () => {
    const clock = new SimulatedClock(1_000_000);
    const delays: number[] = [];
    const error = new StoreError('Unavailable', 'away');
    const run = withRestarts({
      name: 'j',
      attempt: () => {
        clock.setTime(clock.now() + step);
        return throwError(() => error);
      },
      restart: {
        initial: 1000,
        max: 60_000,
        multiplier: 2,
        jitter: 0,
        resetAfter: hour,
        attempts: 3,
        checkpointTimeouts: 3,
      },
      clock,
      random: () => 0.5,
      stop: NEVER,
      emit: (event) => event.type === 'restarting' && delays.push(event.delayMs),
    }).subscribe({ error: () => undefined });
    clock.advance(60_000);
    run.unsubscribe();
    expect(delays).toEqual([1000, 2000, 4000]);
  });
});

/** Requests sessions of an hour. */
async function sessions(): Promise<{
  clock: SimulatedClock;
  source: RefreshedCredentials;
  asked: () => number;
}> {
  const clock = new SimulatedClock(1_000_000);
  let asked = 0;
  const source = new RefreshedCredentials(() => {
    const expiration = new Date(clock.now() + hour);
    return Promise.resolve({ accessKeyId: `k${++asked}`, secretAccessKey: 's', expiration });
  }, clock);
  await source.get();
  return { clock, source, asked: () => asked };
}

describe('credentials', () => {
  test('are renewed before they end at the server, although the system time was set back', async () => {
    const { clock, source, asked } = await sessions();
    clock.setTime(clock.now() - 10 * hour);
    clock.advance(54 * 60_000);
    await source.get();
    expect(asked()).toBe(1);
    clock.advance(2 * 60_000);
    await source.get();
    expect(asked()).toBe(2);
  });

  test('are renewed after a sleep, during which only the system time advances', async () => {
    const { clock, source, asked } = await sessions();
    clock.setTime(clock.now() + 2 * hour);
    expect(await source.get()).toMatchObject({ accessKeyId: 'k2' });
    expect(asked()).toBe(2);
  });
});

describe('a timer of more than 24 days', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  test('fires once, at its time', () => {
    let fired = 0;
    systemClock.after(60 * day, () => fired++);
    jest.advanceTimersByTime(60 * day - 1);
    expect(fired).toBe(0);
    jest.advanceTimersByTime(1);
    expect(fired).toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('never fires once it is cancelled', () => {
    let fired = 0;
    const timer = systemClock.after(60 * day, () => fired++);
    jest.advanceTimersByTime(30 * day);
    timer.unsubscribe();
    expect(jest.getTimerCount()).toBe(0);
    jest.advanceTimersByTime(60 * day);
    expect(fired).toBe(0);
  });
});

test('SimulatedClock: setting the time moves no timer', () => {
  const clock = new SimulatedClock(day);
  const at: number[] = [];
  clock.after(1000, () => at.push(clock.monotonic()));
  clock.setTime(0);
  expect(clock.now()).toBe(0);
  clock.run();
  expect(at).toEqual([day + 1000]);
  expect(clock.now()).toBe(1000);
});
