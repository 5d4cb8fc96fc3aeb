import fc from 'fast-check';
import { NEVER, Observable, VirtualTimeScheduler } from 'rxjs';
import { clockOf, type Clock } from '../../src/flow/index.js';
import { StoreError } from '../../src/store/errors.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { seeded } from '../simulation/random.js';
import { intercepted } from './intercepted.js';
import { ToyJob } from './toyJob.js';

/**
 * A process that can be paused (SIGSTOP), continued, and killed. Requests that the store has received continue
 * regardless.
 */
class Process {
  state: 'running' | 'paused' | 'dead' = 'running';
  readonly #waiting: (() => void)[] = [];

  run(work: () => void): void {
    if (this.state === 'running') work();
    else if (this.state === 'paused') this.#waiting.push(work);
  }

  continue(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    for (const work of this.#waiting.splice(0)) this.run(work);
  }
}

function clockFor(clock: Clock, process: Process): Clock {
  const gated = (work: () => void) => (): void => {
    process.run(work);
  };
  return {
    now: () => clock.now(),
    after: (delay, work) => clock.after(delay, gated(work)),
    yield: (work) => clock.yield(gated(work)),
  };
}

/**
 * Requests take time; some answers are lost, some requests never arrive, and some arrive long after they were abandoned.
 */
function network(
  store: ObjectStore,
  clock: Clock,
  random: () => number,
  process: Process,
  faults: number,
): ObjectStore {
  return intercepted(store, <T>(_: unknown, request: Observable<T>) => {
    if (process.state === 'dead') return NEVER;
    return new Observable<T>((answer) => {
      const fate = random() < faults ? Math.floor(random() * 3) : 3;
      const lost = (): void => {
        clock.after(random() * 40, () => {
          process.run(() => {
            answer.error(new StoreError('Unavailable', 'The answer is lost.'));
          });
        });
      };
      if (fate < 2) lost();
      if (fate === 0) return;
      clock.after(fate === 1 ? random() * 3_000 : random() * 20, () => {
        request.subscribe({
          next: (value) => {
            if (fate < 3) return;
            clock.after(random() * 20, () => {
              process.run(() => {
                answer.next(value);
                answer.complete();
              });
            });
          },
          error: (error: unknown) => {
            if (fate < 3) return;
            process.run(() => {
              answer.error(error);
            });
          },
        });
        if (fate === 2) lost();
      });
    });
  });
}

interface Fate {
  readonly at: number;
  readonly what: 'kill' | 'pause' | 'continue';
}

function simulate(
  seed: number,
  fates: readonly Fate[],
  faults: number,
): { units: number[]; ends: unknown[]; fenced: number } {
  const units = 25;
  const scheduler = new VirtualTimeScheduler(undefined, 0);
  const clock = clockOf(scheduler);
  const random = seeded(seed);
  const store = createMemoryStore({ clock });
  const ends: unknown[] = [];
  const processes: Process[] = [];
  const start = (rate: number): void => {
    const process = new Process();
    processes.push(process);
    const own = clockFor(clock, process);
    const attempt = (): void => {
      const done = (error: unknown): void => {
        ends.push(error);
        const retry = error !== undefined && (error as { retryable?: boolean }).retryable === true;
        if (retry) own.after(100, attempt);
      };
      new ToyJob({
        store: network(store, clock, random, process, rate),
        clock: own,
        random,
        units,
        done,
      }).start();
    };
    attempt();
  };
  const until = (time: number): void => {
    scheduler.maxFrames = time;
    scheduler.flush();
  };
  start(faults);
  let now = 0;
  for (const { at, what } of fates) {
    now += at;
    until(now);
    clock.after(0, () => undefined);
    const last = processes.at(-1)!;
    if (what === 'continue') for (const process of processes) process.continue();
    else {
      last.state = what === 'kill' ? 'dead' : 'paused';
      start(faults);
    }
  }
  start(0);
  until(now + 60_000);
  for (const process of processes) process.continue(); // zombies
  until(now + 120_000);
  const found: number[] = [];
  const keys: string[] = [];
  store.list({ prefix: 'out/' }).subscribe(({ objects }) => keys.push(...objects.map(({ key }) => key)));
  for (const key of keys) {
    store
      .get(key)
      .subscribe(({ chunks }) => found.push(...(JSON.parse(Buffer.concat(chunks).toString()) as number[])));
  }
  const fenced = ends.filter((end) => (end as { code?: string } | undefined)?.code === 'Fenced').length;
  return { units: found.sort((a, b) => a - b), ends, fenced };
}

describe('Kills, zombies and a lossy network over the real coordinator', () => {
  const all = Array.from({ length: 25 }, (_, i) => i);

  test('a run without faults publishes each unit once and finishes', () => {
    const { units, ends } = simulate(1, [], 0);
    expect(units).toEqual(all);
    expect(ends).toContain(undefined);
  });

  test('every schedule publishes each unit exactly once', () => {
    const fate = fc.record({
      at: fc.integer({ min: 0, max: 1_500 }),
      what: fc.constantFrom<Fate['what']>('kill', 'pause', 'continue'),
    });
    let fenced = 0;
    let runs = 0;
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fate, { maxLength: 6 }),
        fc.constantFrom(0, 0.1, 0.3),
        (seed, fates, faults) => {
          const result = simulate(seed, fates, faults);
          runs++;
          fenced += result.fenced;
          expect(result.units).toEqual(all);
          expect(result.ends).toContain(undefined);
          // An attempt that fails otherwise tries again, and is then fenced or done.
          for (const end of result.ends) {
            if (end === undefined) continue;
            const { code, retryable } = end as { readonly code?: string; readonly retryable?: boolean };
            // A zombie misses what its successors deleted, and with a lossy network it may not learn why.
            if (code === 'NotFound' && faults > 0) continue;
            expect({ code, retryable: code !== 'Fenced' }).toEqual({ code, retryable });
          }
        },
      ),
      { numRuns: 150, seed: 20 },
    );
    expect(runs).toBeGreaterThanOrEqual(150);
    expect(fenced).toBeGreaterThan(10); // zombies did wake up
  });
});
