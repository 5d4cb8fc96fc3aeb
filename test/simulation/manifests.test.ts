import { effort } from '../support/effort.js';
import { drawScenario, plain, type Fate, type Scenario } from './scenario.js';
import { simulate } from './simulation.js';

/** Small files: those that are only tails need an upload, and an entry that names it, before they are published. */
const scenario: Scenario = { ...plain, records: 60, partitions: 5, padding: 10, manifests: true };

function expectExact(of: Scenario): void {
  const { lost, duplicated, wrong, left, leaked } = simulate(of);
  const exact = { fates: of.fates, lost: 0, duplicated: 0, wrong: [], left: [], leaked: [] };
  expect({ fates: of.fates, lost, duplicated, wrong, left, leaked }).toEqual(exact);
}

const calls = simulate(scenario).calls[0]!;
const step = effort(29, 1);

/** `wrong` has what a reader saw that looks after every change of the store. */
describe('readers see manifests of whole files, each file in one, and latest only ever goes on', () => {
  test.each(['before', 'after'] as const)('if a process dies %s any request', (when) => {
    for (let at = 1; at <= calls; at += step)
      expectExact({ ...scenario, fates: [{ kind: 'crash', at, when }] });
  });

  test('if a process dies at any request of its recovery', () => {
    const first: Fate = { kind: 'crash', at: Math.floor(calls / 2), when: 'after' };
    const again = simulate({ ...scenario, fates: [first] }).calls[1]!;
    for (let at = 1; at <= again; at += step)
      expectExact({
        ...scenario,
        fates: [first, { kind: 'crash', at, when: at % 2 === 0 ? 'before' : 'after' }],
      });
  });

  // A stop that comes early finds files whose uploads no entry names yet, next to files that are published and wait for them.
  test('if a process is stopped at any request of its recovery', () => {
    const first: Fate = { kind: 'crash', at: 80, when: 'after' };
    for (let at = 1; at <= 60; at += effort(7, 1))
      expectExact({ ...scenario, fates: [first, { kind: 'stop', at }] });
  });

  test('if a process is paused, and continues as a zombie', () => {
    for (let at = 1; at <= calls; at += 2 * step)
      expectExact({
        ...scenario,
        fates: [{ kind: 'pause', at, late: (at * 7) % 120, resume: (at * 13) % 160 }],
      });
  });

  test.each(['columns', 'array', 'gzip of rows'] as const)(
    'if a restart adds to the bytes of a file: %s',
    (output) => {
      for (let at = 40; at <= calls; at += effort(29, 2))
        expectExact({ ...scenario, output, fates: [{ kind: 'crash', at, when: 'after' }] });
    },
  );

  test('in random lives with faults', () => {
    for (let seed = 1; seed <= effort(4, 300); seed++)
      expectExact({ ...drawScenario(seed), records: 80, manifests: true });
  });
});
