import { plain, type Scenario } from './scenario.js';
import { simulate } from './simulation.js';

/** A process that is stopped at a request and goes on later, when another one has taken over. */
function zombie(scenario: Scenario, at: number, late: number, resume: number): boolean {
  const fates = [{ kind: 'pause', at, late, resume } as const];
  const { outcomes, lost, duplicated, wrong, leakedUploads } = simulate({ ...scenario, fates });
  expect({ at, late, resume, lost, duplicated, wrong, leakedUploads }).toEqual({
    at,
    late,
    resume,
    lost: 0,
    duplicated: 0,
    wrong: [],
    leakedUploads: 0,
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
  for (let at = 1; at <= calls; at += 4) {
    // The request is late by less than its successor takes, or by more; the process wakes up in its midst, or afterwards.
    if (zombie(scenario, at, (at * 7) % 120, (at * 13) % 160)) fenced++;
  }
  // Not all: before its claim is verified it may itself be the one that takes over, and at its last entry it is done.
  expect(fenced).toBeGreaterThan(calls / 10);
});

/**
 * A file of the first process is sealed by the third, while the second, stopped in the midst of its sweep, wakes up: what
 * the third made for it must not be swept.
 */
test('a zombie that wakes up in its sweep aborts nothing that a later attempt has made', () => {
  for (let resume = 10; resume < 120; resume += 8) {
    for (const at of [6, 8, 10, 12]) {
      const fates = [
        { kind: 'crash', at: 84, when: 'before' } as const,
        { kind: 'pause', at, late: resume - 2, resume } as const,
      ];
      const { lost, duplicated, wrong } = simulate({
        ...plain,
        partitions: 6,
        padding: 30,
        interval: 11,
        fates,
      });
      expect({ at, resume, lost, duplicated, wrong }).toEqual({
        at,
        resume,
        lost: 0,
        duplicated: 0,
        wrong: [],
      });
    }
  }
});
