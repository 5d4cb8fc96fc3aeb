import fc from 'fast-check';
import { tap, throwError } from 'rxjs';
import { decorate, StoreError, createStores } from '../../src/entries/stores.js';
import { fileSink, files, MillraceError, ndjson, records } from '../../src/index.js';
import { defaultRestart, freshRestarts, nextRestart } from '../../src/job/restartPolicy.js';
import { Lake } from './harness.js';

const lines = Array.from({ length: 40_000 }, (_, n) => ({ n }));

function lake(): Lake {
  const made = new Lake();
  made.put('raw/a.ndjson', lines);
  return made;
}

const raw = () => files('memory://lake/raw/*', { format: ndjson<{ n: number }>() });
const out = <A>() => fileSink<A>('out', 'memory://lake/out', { format: ndjson() });

test('a retryable failure restarts the job after the delay, and the output is exact', async () => {
  const world = lake();
  const { job, events } = world.job();
  let failures = 0;
  const flow = job.source('raw', raw()).pipe(
    records(
      tap(({ n }) => {
        if (n === 25 && failures++ < 3) throw new MillraceError('Flaky', 'try again', { retryable: true });
      }),
    ),
    out(),
  );
  await expect(world.run(job, flow)).resolves.toEqual({ outcome: 'finished' });
  expect(world.lines('out/')).toEqual(lines);
  expect(events.flatMap((event) => (event.type === 'restarting' ? [event.delayMs] : []))).toEqual([
    1000, 1500, 2250,
  ]);
});

test('a failure that is not retryable ends the job immediately', async () => {
  const world = lake();
  const { job, events } = world.job();
  const flow = job.source('raw', raw()).pipe(
    records(
      tap(() => {
        throw new TypeError('bug');
      }),
    ),
    out(),
  );
  await expect(world.run(job, flow)).rejects.toThrow('bug');
  expect(events.filter(({ type }) => type === 'attempt-started')).toHaveLength(1);
});

test('after the maximum number of attempts the job fails with the last error', async () => {
  const world = lake();
  const broken = decorate(world.store, (call, run) =>
    call.method === 'createUpload' ? throwError(() => new StoreError('Unavailable', 'down')) : run,
  );
  const { job, events } = world.job({
    restart: { attempts: 2, initial: '1s' },
    stores: createStores({ schemes: { memory: () => broken }, clock: world.clock }),
  });
  await expect(world.run(job, job.source('raw', raw()).pipe(out()))).rejects.toMatchObject({
    code: 'Unavailable',
  });
  expect(events.filter(({ type }) => type === 'attempt-started')).toHaveLength(3);
});

test('a stop takes a last checkpoint, publishes nothing unfinished, and the next run continues', async () => {
  const world = lake();
  const stop = new AbortController();
  const first = world.job();
  let seen = 0;
  const flow = first.job
    .source(
      'raw',
      files('memory://lake/raw/*', {
        format: ndjson<{ n: number }>(),
        prefetch: { window: 1, fragment: 4096 },
      }),
    )
    .pipe(records(tap(() => ++seen === 10 && stop.abort())), out());
  await expect(world.run(first.job, flow, { signal: stop.signal })).resolves.toEqual({ outcome: 'stopped' });
  expect(seen).toBeLessThan(40_000);
  const second = world.job();
  await expect(world.run(second.job, second.job.source('raw', raw()).pipe(out()))).resolves.toEqual({
    outcome: 'finished',
  });
  expect(world.lines('out/')).toEqual(lines);
});

test('delays grow to the maximum, jitter stays within its fraction, and a stable run with a checkpoint resets them', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          ran: fc.nat(7_200_000),
          durable: fc.boolean(),
          random: fc.double({ min: 0, max: 0.999, noNaN: true }),
        }),
      ),
      (runs) => {
        let state = freshRestarts;
        for (const { ran, durable, random } of runs) {
          const expected = durable && ran >= defaultRestart.resetAfter ? 0 : state.restarts;
          const next = nextRestart(defaultRestart, state, { ranMs: ran, durable, timedOut: false }, random);
          const base = Math.min(60_000, 1000 * 1.5 ** expected);
          expect(next.next).toBeGreaterThanOrEqual(base * 0.9);
          expect(next.next).toBeLessThanOrEqual(Math.min(60_000, base * 1.1));
          state = next.state;
        }
      },
    ),
  );
});
