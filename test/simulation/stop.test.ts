import type { Scenario } from './scenario.js';
import { simulate } from './simulation.js';

const scenario: Omit<Scenario, 'fates'> = {
  seed: 1,
  shape: 'single',
  records: 100,
  objects: 3,
  partitions: 3,
  padding: 40,
  interval: 5,
  completeSubset: true,
  entropy: false,
};

test('a process that continues the job is stopped at any request, while it opens and after that', () => {
  const outcomes = new Set<string>();
  for (let at = 1; at <= 40; at++) {
    const result = simulate({
      ...scenario,
      fates: [
        { kind: 'stop', at: 79 },
        { kind: 'stop', at },
      ],
    });
    const { lost, duplicated, wrong } = result;
    expect([at, lost, duplicated, wrong]).toEqual([at, 0, 0, []]);
    outcomes.add(result.outcomes.join(' '));
  }
  // The input may be over before the later ones are heard.
  expect(outcomes).toEqual(new Set(['stopped stopped finished', 'stopped finished']));
});
