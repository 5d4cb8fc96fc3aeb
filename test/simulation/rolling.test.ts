import { effort } from '../support/effort.js';
import { plain, type Fate, type Scenario } from './scenario.js';
import { simulate } from './simulation.js';

const scenario: Scenario = { ...plain, records: 60, rollsByClock: true };

function expectExact(fates: readonly Fate[], seed = 1): void {
  const { lost, duplicated, wrong, left, leaked } = simulate({ ...scenario, seed, fates });
  const exact = { fates, lost: 0, duplicated: 0, wrong: [], left: [], leaked: [] };
  expect({ fates, lost, duplicated, wrong, left, leaked }).toEqual(exact);
}

function publishedFiles(rollsByClock: boolean): number {
  const { events } = simulate({ ...scenario, rollsByClock });
  return events.filter((event) => event.type === 'committed' && event['operator'] === 'out').length;
}

describe('files rolled by a clock that jumps each time it is looked at', () => {
  const calls = simulate(scenario).calls[0]!;
  const step = effort(23, 1);

  test('are more than without', () => {
    expect(publishedFiles(true)).toBeGreaterThan(1.5 * publishedFiles(false));
  });

  test.each(['before', 'after'] as const)(
    'have each record once if a process dies %s any request',
    (when) => {
      for (let at = 1; at <= calls; at += step) expectExact([{ kind: 'crash', at, when }]);
    },
  );

  test('have each record once if processes die again and again, are paused, or stopped', () => {
    for (let at = 1; at <= calls; at += 2 * step) {
      const next: Fate = { kind: 'crash', at: 1 + ((at * 7) % 60), when: 'after' };
      expectExact([{ kind: 'crash', at, when: 'before' }, next], at);
      expectExact([{ kind: 'pause', at, late: (at * 7) % 120, resume: (at * 13) % 160 }, next], at);
      expectExact([{ kind: 'stop', at }, next], at);
    }
  });
});
