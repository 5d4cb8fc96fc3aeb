import { readdirSync } from 'node:fs';
import { filter, map } from 'rxjs';
import {
  fileSink,
  type Flow,
  keyed,
  mergeFlows,
  records,
  values,
  valueState,
  watermarks,
} from '../../src/index.js';
import { matrix, memoryServices, type MatrixSubject } from '../../src/testing/index.js';
import { wrongRows } from './wrong/rows.js';

const numbers = { records: [3, 5, 4, 8], services: memoryServices };

/** By the names of operators as millrace exports them. */
const subjects: Readonly<Record<string, readonly MatrixSubject<number>[]>> = {
  records: [
    {
      ...numbers,
      operator: (callback) =>
        records(
          map((n: number) => {
            callback(n);
            return n * 2;
          }),
          filter((n) => n !== 8),
        ),
      output: (given) => given.map((n) => n * 2).filter((n) => n !== 8),
    },
  ],
  keyed: (['fail', 'skip'] as const).map((onUnencodable) => ({
    ...numbers,
    operator: (callback) =>
      keyed('sums', {
        key: (n: number) => n % 2,
        state: { sum: valueState(0) },
        onRecord: (n, { sum }) => {
          callback(n);
          return [n, sum.update((before) => before + n)];
        },
        onUnencodable,
      }),
    output: (given) => {
      const sums = [0, 0];
      return given.flatMap((n) => [n, (sums[n % 2] = (sums[n % 2] ?? 0) + n)]);
    },
  })),
  mergeFlows: [
    {
      ...numbers,
      operator: () => (flow) => mergeFlows(flow as Flow<number>),
      output: (given) => given,
    },
    {
      ...numbers,
      operator: (callback) => (flow: Flow<number>) =>
        mergeFlows(
          flow.pipe(
            records(
              map((n) => {
                callback(n);
                return n;
              }),
            ),
          ),
          flow.pipe(records(filter(() => false))),
        ),
      output: (given) => given,
    },
  ],
  values: [
    {
      ...numbers,
      operator: () => values<number>(),
      output: (given) => given,
    },
  ],
  watermarks: [
    {
      ...numbers,
      operator: (callback) =>
        watermarks('time', {
          timestamp: (n: number) => {
            callback(n);
            return n;
          },
          outOfOrder: 2,
        }),
      output: (given) => given,
    },
  ],
  fileSink: [
    {
      ...numbers,
      operator: (callback) =>
        fileSink<number>('out', 'memory://lake/out', {
          format: {
            extension: '.txt',
            encode: (n) => {
              callback(n);
              return `${n}\n`;
            },
          },
          partSize: 16,
        }),
      output: () => [],
    },
  ],
};

describe.each(
  Object.entries(subjects).flatMap(([name, all]) =>
    all.map((subject, index) => [all.length > 1 ? `${name} ${index + 1}` : name, subject] as const),
  ),
)('%s keeps its promise for', (_, subject) => {
  test.each(matrix.map((row) => [row.name, row] as const))('%s', (__, { check }) => {
    check(subject);
  });
});

test('every exported operator is tested', () => {
  const names = readdirSync(new URL('../../src/operators/', import.meta.url))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replace('.ts', ''));
  expect(Object.keys(subjects).sort()).toEqual([...names, 'fileSink'].sort());
});

const subjectOf = (operator: (callback: (record: number) => void) => unknown): MatrixSubject<number> => ({
  ...numbers,
  operator: operator as MatrixSubject<number>['operator'],
  output: (given) => given,
});

describe.each(matrix.map(({ name, check }) => [name, check] as const))(
  'the row of %s fails',
  (name, check) => {
    test.each(Object.entries(wrongRows[name] ?? {}))('an operator that %s', (_, operator) => {
      expect(() => {
        check(subjectOf(operator));
      }).toThrow('The operator breaks its promise');
    });

    test('some operator', () => {
      expect(Object.keys(wrongRows[name] ?? {})).not.toEqual([]);
    });
  },
);
