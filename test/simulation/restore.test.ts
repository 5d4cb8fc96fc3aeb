import fc from 'fast-check';
import { simulate, type Result, type Scenario } from './simulation.js';

const scenario: Scenario = {
  seed: 1,
  records: 200,
  objects: 3,
  partitions: 3,
  padding: 40,
  interval: 5,
  crashes: [],
};

function expectExact(result: Result): void {
  expect(result.output).toEqual(result.expected);
  expect(result.leakedUploads).toBe(0);
}

test('an uninterrupted run publishes every record once, in order', () => {
  const result = simulate(scenario);
  expectExact(result);
  expect(result.checkpoints).toBeGreaterThan(3);
});

describe.each([
  ['a server like AWS', true],
  ['a server like Ceph', false],
])('on %s', (_, completeSubset) => {
  const calls = simulate({ ...scenario, completeSubset }).calls[0]!;

  test.each(['before', 'after'] as const)('a crash at every single request, %s it takes effect', (when) => {
    for (let at = 1; at <= calls; at++) {
      try {
        expectExact(simulate({ ...scenario, completeSubset, crashes: [{ at, when }] }));
      } catch (error) {
        throw new Error(`crash ${when} request ${at}`, { cause: error });
      }
    }
  });
});

test('random lives: several crashes, any sizes', () => {
  const crash = fc.record({ at: fc.integer({ min: 1, max: 150 }), when: fc.constantFrom('before' as const, 'after' as const) });
  const life = fc.record({
    seed: fc.integer(),
    records: fc.integer({ min: 0, max: 200 }),
    objects: fc.integer({ min: 1, max: 5 }),
    partitions: fc.integer({ min: 1, max: 6 }),
    padding: fc.constantFrom(0, 30, 200),
    interval: fc.integer({ min: 3, max: 40 }),
    completeSubset: fc.boolean(),
    crashes: fc.array(crash, { maxLength: 5 }),
  });
  fc.assert(
    fc.property(life, (each) => {
      expectExact(simulate(each));
    }),
    { numRuns: 150 },
  );
});
