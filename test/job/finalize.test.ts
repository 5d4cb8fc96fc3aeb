import { finalize, share, tap, type Observable } from 'rxjs';
import { fileSink, files, ndjson, records, values, type Flow } from '../../src/index.js';
import { Lake } from './harness.js';

interface Row {
  readonly n: number;
}

const boom = new Error('boom');
const throwing = <T>() =>
  finalize<T>(() => {
    throw boom;
  });
const out = (id = 'out') => fileSink<Row>(id, `memory://lake/${id}`, { format: ndjson() });

const failure = async (leaves: (flow: Flow<Row>) => readonly Observable<unknown>[]): Promise<unknown> => {
  const lake = new Lake();
  lake.put('raw/a.ndjson', [{ n: 1 }, { n: 2 }]);
  const { job, events } = lake.job();
  const flow = job.source('raw', files('memory://lake/raw/', { format: ndjson<Row>() }));
  const error: unknown = await lake.run(job, ...(leaves(flow) as [Observable<unknown>])).then(
    () => undefined,
    (each: unknown) => each,
  );
  expect(events.filter(({ type }) => type === 'failed')).toEqual([expect.objectContaining({ error })]);
  return error;
};

describe('a callback of finalize(…) that throws ends the job with what it threw', () => {
  test.each<[string, (flow: Flow<Row>) => Observable<unknown>[]]>([
    ['before a sink', (flow) => [flow.pipe(throwing(), out())]],
    ['after a sink', (flow) => [flow.pipe(out(), throwing())]],
    ['inside records(…)', (flow) => [flow.pipe(records(throwing()), out())]],
    ['after values()', (flow) => [flow.pipe(values(), throwing())]],
    [
      'after share()',
      (flow) => {
        const shared = flow.pipe(share());
        return [shared.pipe(throwing(), out('a')), shared.pipe(out('b'))];
      },
    ],
  ])('%s', async (_, leaves) => {
    expect(await failure(leaves)).toBe(boom);
  });
});

describe('an error precedes what finalize(…) throws because of it', () => {
  const wrong = new Error('wrong');
  const failing = tap<Row>(() => {
    throw wrong;
  });

  test('on the same leaf', async () => {
    expect(await failure((flow) => [flow.pipe(records(failing), throwing(), out())])).toBe(wrong);
  });

  test('on another leaf', async () => {
    expect(
      await failure((flow) => [flow.pipe(throwing(), out('a')), flow.pipe(records(failing), out('b'))]),
    ).toBe(wrong);
  });
});
