import { readdirSync } from 'node:fs';
import { filter, map } from 'rxjs';
import {
  countByKey,
  distinctByKey,
  fileSink,
  type Flow,
  joinByKey,
  keyed,
  latestByKey,
  mergeFlows,
  records,
  reduceByKey,
  scanByKey,
  scanState,
  values,
  valueState,
  watermarks,
} from '../../src/index.js';
import { matrix, memoryServices, type MatrixSubject } from '../../src/testing/index.js';
import { wrongRows } from './wrong/rows.js';

const numbers = { records: [3, 5, 4, 8], services: memoryServices };

const sumsOf = (given: readonly number[]): number[] => {
  const sums = [0, 0];
  return given.map((n) => (sums[n % 2] = (sums[n % 2] ?? 0) + n));
};

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
  scanByKey: [
    {
      ...numbers,
      operator: (callback) =>
        scanByKey('sums', {
          key: (n: number) => n % 2,
          accumulator: (sum, n) => {
            callback(n);
            return sum + n;
          },
          seed: 0,
        }),
      output: sumsOf,
    },
  ],
  scanState: [
    {
      ...numbers,
      operator: (callback) =>
        scanState(
          'sum',
          (sum, n: number) => {
            callback(n);
            return sum + n;
          },
          0,
        ),
      output: (given) => {
        let sum = 0;
        return given.map((n) => (sum += n));
      },
    },
  ],
  reduceByKey: [
    {
      ...numbers,
      operator: (callback) =>
        reduceByKey('sums', {
          key: (n: number) => n % 2,
          accumulator: (sum, n) => {
            callback(n);
            return sum + n;
          },
          seed: 0,
        }),
      output: (given) => {
        const parities = [0, 1].filter((parity) => given.some((n) => n % 2 === parity));
        return parities.map((parity) => sumsOf(given.filter((n) => n % 2 === parity)).at(-1));
      },
    },
  ],
  countByKey: [
    {
      ...numbers,
      operator: (callback) =>
        countByKey('parities', {
          key: (n: number) => {
            callback(n);
            return n % 2;
          },
        }),
      output: (given) =>
        given.map((n, i) => ({
          key: n % 2,
          count: given.slice(0, i + 1).filter((each) => each % 2 === n % 2).length,
        })),
    },
  ],
  distinctByKey: [
    {
      ...numbers,
      operator: (callback) =>
        distinctByKey('first', {
          key: (n: number) => {
            callback(n);
            return n % 2;
          },
        }),
      output: (given) => given.filter((n, i) => given.findIndex((each) => each % 2 === n % 2) === i),
    },
  ],
  latestByKey: [
    {
      ...numbers,
      operator: (callback) =>
        latestByKey('changes', {
          key: (n: number) => {
            callback(n);
            return 0;
          },
          comparator: (previous, current) => previous % 2 === current % 2,
        }),
      output: (given) => given.filter((n, i) => i === 0 || n % 2 !== (given[i - 1] ?? 0) % 2),
    },
  ],
  joinByKey: [
    {
      ...numbers,
      operator: (callback) => (flow: Flow<number>) =>
        flow.pipe(
          joinByKey('parities', flow.pipe(records(filter(() => false))), {
            key: (n) => {
              callback(n);
              return n % 2;
            },
            otherKey: (n: number) => n % 2,
          }),
        ),
      output: () => [],
    },
  ],
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

test('an operator that lacks its services fails with the real error', () => {
  const subject: MatrixSubject<number> = {
    operator: () => countByKey('count', { key: (n: number) => n }),
    records: [1, 2, 3],
  };
  const messages = matrix.map(({ check }) => {
    try {
      check(subject);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  });
  expect(messages.filter((each) => each.includes('completed 0 times'))).toEqual([]);
  expect(messages.some((each) => /it failed: \w+: /.test(each))).toBe(true);
});
