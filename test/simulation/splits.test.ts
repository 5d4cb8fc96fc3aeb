import { effort } from '../support/effort.js';
import { plain, type Scenario } from './scenario.js';
import { simulate } from './simulation.js';

/** One object, which each life reads in splits of another size. */
const scenario: Scenario = {
  ...plain,
  shape: 'merged',
  records: 80,
  objects: 2,
  parallelism: 3,
  split: 900,
  padding: 0,
};

const exact = { lost: 0, duplicated: 0, wrong: [], left: [], leaked: [] };

test('a job that reads an object in splits publishes every record once', () => {
  expect(simulate(scenario)).toMatchObject(exact);
});

test('so does one that crashes at its requests, twice, and reads it in splits of another size', () => {
  const calls = simulate(scenario).calls[0]!;
  expect(calls).toBeGreaterThan(40);
  const step = effort(23, 1);
  for (let at = 1; at <= calls; at += step) {
    const when = at % 2 === 0 ? 'before' : 'after';
    const again = { kind: 'crash', at: 1 + ((at * 7) % 50), when } as const;
    const seed = at;
    const result = simulate({ ...scenario, seed, fates: [{ kind: 'crash', at, when }, again] });
    expect([at, result]).toMatchObject([at, exact]);
  }
});
