import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { asyncScheduler, Observable } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { clockOf } from '../../src/flow/index.js';
import { fileSink, files, ndjson } from '../../src/index.js';
import { ProgressWatch } from '../../src/job/progressWatch.js';
import type { ProgressMessage, SourceProgress } from '../../src/store/observe/sourceProgress.js';
import { Lake } from './harness.js';

/** So many objects are read; the last listing is so old. */
const at = (objects: number, listingMs = 0): SourceProgress => ({
  listed: { objects, bytes: 0 },
  read: { objects, bytes: 0 },
  left: { objects: 0, bytes: 0 },
  complete: true,
  requests: { list: 0, head: 0 },
  lag: { listingMs },
});

/** The number of objects in each report, of a watch that is nudged with each progress. */
const watched = (progress$: Observable<SourceProgress>): Observable<string> =>
  new Observable((out) => {
    let current: SourceProgress | undefined;
    const watch = new ProgressWatch({
      job: 'test',
      clock: clockOf(asyncScheduler),
      sources: () => [['in', current]],
      report: ({ read }) => out.next(String(read.objects)),
    });
    out.add(() => watch.close());
    out.add(
      progress$.subscribe((progress) => {
        current = progress;
        watch.nudge();
      }),
    );
  });

describe('reports of progress', () => {
  const values = { a: at(1), b: at(2), c: at(3), d: at(3, 5000) };
  it.each([
    ['at most one a second, with what is known by then', 'a 99ms b 99ms c 2s |', '1 999ms 3'],
    ['at once after a second without one', 'a 1999ms b 99ms c 2s |', '1 1999ms 2 999ms 3'],
    ['none if only the lag has changed', 'a 1999ms c 1999ms d 2s |', '1 1999ms 3'],
    ['none without progress', '5s |', '-'],
  ])('%s', (_, nudges, expected) => {
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run((run) => {
      run.expectObservable(watched(run.hot(nudges, values))).toBe(expected);
    });
  });
});

test('a job reports the progress of its sources as events and on the channel, the last one when all is read', async () => {
  const lake = new Lake();
  for (let i = 0; i < 3; i++) lake.put(`in/${i}`, [{ i }]);
  const messages: ProgressMessage[] = [];
  const listener = (message: unknown): void => void messages.push(message as ProgressMessage);
  subscribe('millrace:source:progress', listener);
  const { job, events } = lake.job();
  const source = files('memory://lake/in/', { format: ndjson<{ i: number }>() });
  const leaf = job.source('in', source).pipe(fileSink('out', 'memory://lake/out', { format: ndjson() }));
  await lake.run(job, leaf);
  unsubscribe('millrace:source:progress', listener);
  const all = { objects: 3, bytes: 24 };
  const last = { listed: all, read: all, left: { objects: 0, bytes: 0 }, complete: true };
  const reported = events.filter(({ type }) => type === 'progress');
  expect(reported.at(-1)).toEqual({
    type: 'progress',
    operator: 'in',
    ...last,
    requests: { list: 1, head: 0 },
  });
  const shown = messages.map(({ job: name, source: id, progress }) => [name, id, progress?.read]);
  expect(shown.slice(-2)).toEqual([
    ['test', 'in', all],
    ['test', 'in', undefined],
  ]);
  expect(messages).toHaveLength(reported.length + 1);
});
