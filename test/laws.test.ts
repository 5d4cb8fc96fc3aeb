import fc from 'fast-check';
import { filter, map, mergeMap, scan, type OperatorFunction } from 'rxjs';
import { fileSink, type Flow, keyed, mergeFlows, ndjson, records, valueState } from '../src/index.js';
import { memoryServices } from './support/marbleServices.js';
import { checkLaws, type LawElement, type LawInput } from '../src/testing/index.js';

/** Any input: records and signals at random distances, sometimes with an end. */
function inputs<A>(record: fc.Arbitrary<A>): fc.Arbitrary<LawInput<A>> {
  const wait = fc.nat({ max: 3 });
  const element: fc.Arbitrary<LawElement<A>> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ wait, kind: fc.constant('record' as const), value: record }) },
    { weight: 2, arbitrary: fc.record({ wait, kind: fc.constant('barrier' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ wait, kind: fc.constantFrom('credit' as const, 'watermark' as const) }),
    },
  );
  return fc
    .tuple(fc.array(element, { maxLength: 25 }), fc.boolean(), fc.nat({ max: 25 }))
    .map(([elements, ends, unsubscribeAfter]) => ({
      elements: ends ? [...elements, { wait: 1, kind: 'end' }, { wait: 1, kind: 'barrier' }] : elements,
      unsubscribeAfter,
    }));
}

const lawful = (name: string, operator: () => OperatorFunction<never, unknown>): void => {
  test(`${name} keeps every law`, () => {
    fc.assert(
      fc.property(inputs(fc.record({ n: fc.nat({ max: 9 }) })), (input) => {
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
    fc.property(inputs(fc.nat({ max: 9 })), (input) => {
      checkLaws(
        () => records(scan((sum, n: number) => sum + n, 0)) as OperatorFunction<never, unknown>,
        input,
      );
    }),
  );
  expect(String(result.errorInstance)).toMatch(/Law of restore broken/);
});
