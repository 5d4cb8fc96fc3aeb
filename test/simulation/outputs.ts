import { outputFormats, plain, type Fate, type Scenario } from './scenario.js';
import { simulate } from './simulation.js';

/** Kills the process that follows `earlier` at every `step`-th of its requests; the output must be exact each time. */
function crashEverywhere(
  scenario: Scenario,
  earlier: readonly Fate[],
  when: 'before' | 'after',
  step: number,
) {
  const calls = simulate({ ...scenario, fates: earlier }).calls[earlier.length]!;
  for (let at = 1; at <= calls; at += step) {
    const fates = [...earlier, { kind: 'crash', at, when } as const];
    const { lost, duplicated, wrong, left, leaked } = simulate({ ...scenario, fates });
    const exact = { fates, lost: 0, duplicated: 0, wrong: [], left: [], leaked: [] };
    expect({ fates, lost, duplicated, wrong, left, leaked }).toEqual(exact);
  }
}

/** In each output format. Only one of `thin` requests is tried. */
export function outputsAreExact({ thin }: { readonly thin: number }): void {
  const outputs = ['table', 'outbox', 'files and outbox', ...Object.keys(outputFormats)] as NonNullable<
    Scenario['output']
  >[];

  describe.each(outputs)('output as %s is exact', (output) => {
    const scenario: Scenario = { ...plain, records: 60, output };
    // Row groups of a few rows take long.
    const step = thin > 1 && output === 'parquet' ? 3 * thin : thin;

    test.each(['before', 'after'] as const)('if a process dies %s any request', (when) => {
      crashEverywhere(scenario, [], when, step);
    });

    test('if a process dies at any request of its recovery', () => {
      const first: Fate = { kind: 'crash', at: Math.floor(simulate(scenario).calls[0]! / 2), when: 'after' };
      crashEverywhere(scenario, [first], 'before', 3 * step);
      crashEverywhere(scenario, [first], 'after', 4 * step);
    });

    test('if a process is paused and continues as a zombie', () => {
      const calls = simulate(scenario).calls[0]!;
      for (let at = 1; at <= calls; at += 5 * step) {
        const fates = [{ kind: 'pause', at, late: (at * 7) % 120, resume: (at * 13) % 160 } as const];
        const { lost, duplicated, wrong } = simulate({ ...scenario, fates });
        expect({ fates, lost, duplicated, wrong }).toEqual({ fates, lost: 0, duplicated: 0, wrong: [] });
      }
    });
  });
}
