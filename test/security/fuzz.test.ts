import { fuzz } from '../fuzz/fuzz.js';
import { brokenTargets } from '../fuzz/targets/broken.js';
import { targets } from '../fuzz/targets/index.js';
import type { Finding } from '../fuzz/worker.js';
import { effort } from '../support/effort.js';

/** Always the same inputs here; `npm run soak -- --fuzz` has new ones. */
const inputs = effort(50, 300);

describe('foreign input ends in a value or a typed error, and in time', () => {
  let findings: readonly Finding[];

  beforeAll(async () => {
    findings = await fuzz(targets, 1, inputs);
  });

  test.each(targets.map(({ name }) => [name] as const))('%s', (name) => {
    expect(findings.filter(({ target }) => target === name)).toEqual([]);
  });
});

describe('fuzzing finds', () => {
  test.each([
    ['untyped', 'TypeError: x is undefined', 20_000],
    ['hanging', 'hangs', 300],
    ['waiting', 'ends the thread', 20_000],
    ['greedy', 'ERR_WORKER_OUT_OF_MEMORY', 20_000],
  ])('a decoder that is %s', async (name, what, hang) => {
    const broken = brokenTargets.filter((target) => target.name === name);
    const [finding] = await fuzz(broken, 7, 2, hang);
    expect(finding).toMatchObject({ target: name, seed: 7 });
    expect(finding?.what).toContain(what);
  });
});
