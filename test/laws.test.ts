import fc from 'fast-check';
import { filter, map, mergeMap, scan, type OperatorFunction } from 'rxjs';
import { fileSink, type Flow, keyed, mergeFlows, ndjson, records, valueState } from '../src/index.js';
import { memoryServices } from './support/marbleServices.js';
import { checkLaws, lawInputs } from '../src/testing/index.js';

const lawful = (name: string, operator: () => OperatorFunction<never, unknown>): void => {
  test(`${name} keeps every law`, () => {
    fc.assert(
      fc.property(lawInputs(fc, fc.record({ n: fc.nat({ max: 9 }) })), (input) => {
        checkLaws(operator, input, {
          services: memoryServices,
          mutate: (record) => {
            (record as { n: number }).n = -1;
          },
        });
      }),
    );
  });
};

lawful('records of stateless operators', () =>
  records(
    map(({ n }: { n: number }) => n + 1),
    filter((n) => n % 3 !== 0),
    mergeMap((n) => [n, -n]),
  ),
);

lawful('keyed', () =>
  keyed('sums', {
    key: ({ n }: { n: number }) => n % 3,
    state: { sum: valueState(0), last: valueState<{ n: number } | undefined>(undefined) },
    onRecord: (record, { sum, last }) => {
      const before = last.value?.n ?? null;
      last.set({ n: record.n });
      return [{ sum: sum.update((each) => each + record.n), before }];
    },
  }),
);

lawful('fileSink', () =>
  fileSink<{ n: number }>('out', 'memory://lake/out', { format: ndjson(), partSize: 16 }),
);

lawful('mergeFlows', () => (source: Flow<{ n: number }>) => mergeFlows(source));

test('the laws find out that records(scan) is not restored', () => {
  const result = fc.check(
    fc.property(lawInputs(fc, fc.nat({ max: 9 })), (input) => {
      checkLaws(
        () => records(scan((sum, n: number) => sum + n, 0)) as OperatorFunction<never, unknown>,
        input,
      );
    }),
  );
  expect(String(result.errorInstance)).toMatch(/Law of restore broken/);
});
