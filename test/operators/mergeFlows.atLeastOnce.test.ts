import { Subject, tap } from 'rxjs';
import { config, loadConfig } from '../../src/config/index.js';
import {
  barrier,
  end,
  isSignal,
  open,
  signal,
  type Flow,
  type Service,
  type Signal,
} from '../../src/flow/index.js';
import { fileSink, files, mergeFlows, MillraceError, ndjson, records } from '../../src/index.js';
import { SimulatedClock, TestAttempt } from '../../src/testing/index.js';
import { Lake } from '../job/harness.js';

const atLeastOnce = loadConfig({
  env: {},
  file: false,
  checkpoints: { mode: 'AT_LEAST_ONCE', dir: 'memory://lake/checkpoints' },
});

const one = barrier(1, 'periodic', () => undefined, new Subject());
const two = barrier(2, 'periodic', () => undefined, new Subject());

/** Two opened inputs, and the output since. */
function merging() {
  const services = new Map<Service<unknown>, unknown>([[config, atLeastOnce]]);
  const attempt = new TestAttempt({ clock: new SimulatedClock(), services });
  const [left, right] = [new Subject<string | Signal>(), new Subject<string | Signal>()];
  const seen: string[] = [];
  let error: unknown;
  mergeFlows(left as Flow<string>, right as Flow<string>).subscribe({
    next: (each) => {
      if (!isSignal(each)) seen.push(each);
      else seen.push(each === one ? '1' : each === two ? '2' : each[signal]);
    },
    error: (each: unknown) => (error = each),
    complete: () => seen.push('|'),
  });
  left.next(open(['left'], attempt));
  right.next(open(['right'], attempt));
  return { left, right, seen: () => seen.slice(1), error: () => error };
}

describe('with AT_LEAST_ONCE', () => {
  test('an input that is ahead is not held, and barriers are emitted in order, once each', () => {
    const { left, right, seen } = merging();
    for (const each of [one, 'a', two, 'b']) left.next(each);
    for (const each of ['x', one, 'y', two]) right.next(each);
    expect(seen()).toEqual(['a', 'b', 'x', '1', 'y', '2']);
  });

  test('End is emitted after the barriers before it', () => {
    const { left, right, seen } = merging();
    left.next(one);
    left.next(end);
    right.next(end);
    expect(seen()).toEqual([]);
    right.next(one);
    expect(seen()).toEqual(['1', 'end']);
  });

  test('an input that has completed is not waited for', () => {
    const { left, right, seen } = merging();
    left.next(one);
    right.complete();
    expect(seen()).toEqual(['1']);
    left.complete();
    expect(seen()).toEqual(['1', '|']);
  });

  test('barriers of different jobs are an error', () => {
    const { left, right, error } = merging();
    left.next(one);
    right.next(two);
    expect(error()).toMatchObject({ code: 'Misaligned' });
  });

  test('a job that fails again and again loses no record', async () => {
    const lake = new Lake();
    const numbers = (from: number) => Array.from({ length: 3000 }, (_, i) => ({ n: from + i }));
    lake.put('a.ndjson', numbers(0));
    lake.put('b.ndjson', numbers(3000));
    const { job, events } = lake.job({ config: atLeastOnce, checkpoints: { interval: 1 } });
    let seen = 0;
    const source = (name: string) =>
      job.source(
        name,
        files(`memory://lake/${name}.ndjson`, {
          format: ndjson<{ n: number }>(),
          prefetch: { fragment: 4096 },
        }),
      );
    const flaky = records<{ n: number }, { n: number }>(
      tap(() => {
        if (++seen % 2500 === 0 && seen < 10_000)
          throw new MillraceError('Flaky', 'try again', { retryable: true });
      }),
    );
    await lake.run(
      job,
      mergeFlows(source('a'), source('b')).pipe(
        flaky,
        fileSink('out', 'memory://lake/out', { format: ndjson() }),
      ),
    );
    expect(events.filter(({ type }) => type === 'restarting')).not.toEqual([]);
    const out = lake.lines('out/').map((line) => (line as { n: number }).n);
    expect(new Set(out).size).toBe(6000);
  });
});
