import { fuzz } from '../fuzz/fuzz.js';
import { largeTargets } from '../fuzz/targets/large.js';
import type { Finding } from '../fuzz/worker.js';

describe('time does not grow quadratically', () => {
  let findings: readonly Finding[];
  beforeAll(async () => {
    findings = await fuzz(largeTargets, 1, 1);
  });

  test.each(largeTargets.map(({ name }) => [name] as const))('%s', (name) => {
    expect(findings.filter(({ target }) => target === name)).toEqual([]);
  });
});
