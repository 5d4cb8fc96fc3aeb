import type { Kind } from './process.js';
import { drawScenario, plain, type Fate, type Scenario } from './scenario.js';
import { simulate, type Result } from './simulation.js';

/** What every request costs is a whole simulation: twice the records take four times as long, and meet nothing new. */
const brief: Scenario = { ...plain, records: 100 };

/** Without these the tests below would have lost their power. */
const firstLife: readonly Kind[] = [
  'get',
  'list',
  'createUpload',
  'uploadPart',
  'completeUpload',
  'segment',
  'manifest',
  'delete',
];

/** Everything that must hold of every simulation. */
function expectExact({ lost, duplicated, wrong, left, leaked }: Result): void {
  expect({ lost, duplicated, wrong, left, leaked }).toEqual({
    lost: 0,
    duplicated: 0,
    wrong: [],
    left: [],
    leaked: [],
  });
}

function exactly(scenario: Scenario): Result {
  try {
    const result = simulate(scenario);
    expectExact(result);
    return result;
  } catch (error) {
    throw new Error(`Repeat with simulate(${JSON.stringify(scenario)})`, { cause: error });
  }
}

/**
 * Declares tests of crashes, stops and random lives. `thin`: of the requests of a kind of which there are many, only every
 * so many meet a crash; each kind does, and every request of a kind with at most `rare`.
 */
export function restores({ thin, rare, seeds }: Record<'thin' | 'rare' | 'seeds', number>): void {
  test('an uninterrupted run publishes every record once, in order', () => {
    const result = exactly(plain);
    expect(result.checkpoints).toBeGreaterThan(3);
  });

  describe.each([
    ['one source, a server like AWS', brief, thin, ['journal']],
    [
      'two sources that read objects in parallel, a server like Ceph',
      { ...brief, shape: 'merged', objects: 5, parallelism: 2, completeSubset: false, entropy: true },
      3 * thin,
      [],
    ],
  ] as const)('%s', (_, scenario, step, more) => {
    const calls = simulate(scenario).calls[0]!;

    /** A crash at each `step`-th request of the process that follows `earlier`, and at all of a kind that is rare. */
    function crashEverywhere(earlier: readonly Fate[], when: 'before' | 'after', step: number): Set<Kind> {
      const requests = simulate({ ...scenario, fates: earlier }).requests[earlier.length]!;
      const isRare = (kind: Kind): boolean => requests.filter((each) => each === kind).length <= rare;
      const struck = new Set<Kind>();
      requests.forEach((kind, i) => {
        if (i % step !== 0 && !isRare(kind) && struck.has(kind)) return;
        const result = exactly({ ...scenario, fates: [...earlier, { kind: 'crash', at: i + 1, when }] });
        struck.add(result.struck[earlier.length]!);
      });
      return struck;
    }

    test('a crash at the requests of the first process, before they take effect', () => {
      const struck = crashEverywhere([], 'before', step);
      expect([...struck]).toEqual(expect.arrayContaining([...firstLife, ...more]));
    });

    test('a crash at the requests of the first process, after they took effect', () => {
      const struck = crashEverywhere([], 'after', step);
      expect([...struck]).toEqual(expect.arrayContaining([...firstLife, ...more]));
    });

    test('a stop at the requests of the first process, and of the next one', () => {
      for (let at = 1; at <= calls; at += step * 2) {
        const next: Fate = { kind: 'stop', at: Math.max(1, (at * 7) % 60) };
        const { outcomes } = exactly({ ...scenario, fates: [{ kind: 'stop', at }, next] });
        expect(outcomes).toContain('finished');
      }
    });

    test('a crash at the requests of the process that recovers', () => {
      const first: Fate = { kind: 'crash', at: Math.floor(calls / 2), when: 'after' };
      const struck = new Set([
        ...crashEverywhere([first], 'before', 8 * thin),
        ...crashEverywhere([first], 'after', 9 * thin),
      ]);
      expect([...struck]).toEqual(expect.arrayContaining([...firstLife, 'listUploads']));
    });
  });

  test('random lives: crashes, pauses and faults, any shape and size', () => {
    const struck = new Set<Kind>();
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= seeds; seed++) {
      const result = exactly(drawScenario(seed));
      for (const kind of result.struck) struck.add(kind);
      for (const outcome of result.outcomes) outcomes.add(outcome);
    }
    expect([...struck]).toEqual(expect.arrayContaining([...firstLife, 'abortUpload']));
    expect([...outcomes].sort()).toEqual(['fenced', 'finished', 'stopped']);
  });
}
