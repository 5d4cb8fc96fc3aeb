import { effort } from '../support/effort.js';
import { plain, type Scenario } from './scenario.js';
import { simulate } from './simulation.js';

/** A process that is stopped at a request and continues after another one has taken over. */
function zombie(scenario: Scenario, at: number, late: number, resume: number): boolean {
  const fates = [{ kind: 'pause', at, late, resume } as const];
  const { outcomes, lost, duplicated, wrong, left, leaked } = simulate({ ...scenario, fates });
  expect({ at, late, resume, lost, duplicated, wrong, left, leaked }).toEqual({
    at,
    late,
    resume,
    lost: 0,
    duplicated: 0,
    wrong: [],
    left: [],
    leaked: [],
  });
  expect(outcomes).toContain('finished');
  return outcomes.includes('fenced');
}

test.each([
  ['one source, a server like AWS', plain],
  ['two sources, a server like Ceph', { ...plain, shape: 'merged', completeSubset: false } as const],
])('stopped at requests of all kinds, %s: it ends by Fenced, and the output is exact', (_, scenario) => {
  const calls = simulate(scenario).calls[0]!;
  let fenced = 0;
  for (let at = 1; at <= calls; at += effort(25, 4)) {
    // The request is delayed by less than its successor runs, or by more; the process wakes up during that run, or
    // afterwards.
    if (zombie(scenario, at, (at * 7) % 120, (at * 13) % 160)) fenced++;
  }
  // Not all: before its claim is verified it may itself be the one that takes over, and at its last entry it is done.
  expect(fenced).toBeGreaterThan(calls / effort(66, 10));
});

/**
 * The first process leaves files that are nothing but tails. The second is stopped in the midst of its sweep; the third makes
 * uploads for those files and commits to them. The second, a zombie now, must not take them for leftovers.
 */
test('a zombie that wakes up during its sweep aborts nothing that a later attempt has created', () => {
  for (const crash of [70, 80, 90]) {
    for (let at = 8; at <= 12; at += effort(2, 1)) {
      for (let resume = 10; resume <= 28; resume += effort(18, 6)) {
        const fates = [
          { kind: 'crash', at: crash, when: 'before' },
          { kind: 'pause', at, late: resume - 2, resume },
        ] as const;
        const { lost, duplicated, wrong } = simulate({
          ...plain,
          partitions: 6,
          padding: 30,
          interval: 11,
          fates,
        });
        expect({ fates, lost, duplicated, wrong }).toEqual({ fates, lost: 0, duplicated: 0, wrong: [] });
      }
    }
  }
});
