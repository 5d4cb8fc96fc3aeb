import type { Rules } from '../../src/checkpoint/rules.js';
import { explore } from './explore.js';
import type { Bounds } from './model.js';
import { small } from './small.js';

/**
 * Every world that a few attempts can reach is visited. With all rules on, a restart from any of them is exact; with any one
 * of them off, the checker shows how it goes wrong.
 */
const total = { states: 0 };

describe('All rules on: no reachable world breaks the promise', () => {
  test.each<[string, Partial<Bounds>]>([
    [
      'two attempts, failed checkpoints, open files, a PUT in doubt',
      { failures: true, openFiles: true, doubts: 1 },
    ],
    ['two attempts, two PUTs in doubt', { doubts: 2 }],
    ['two attempts that write until slots are freed', { barriers: [1, 2] }],
    ['two attempts that claim again when they lost', { claims: 2 }],
    ['three attempts, a PUT in doubt', { barriers: [1, 0, 0], doubts: 1 }],
    ['two attempts that sweep whenever they may, open files', { sweeps: 'always', openFiles: true }],
    ['two that sweep, two PUTs in doubt', { sweeps: 'always', barriers: [1, 0], doubts: 2 }],
  ])(
    '%s',
    (_, bounds) => {
      const { states, counterexample } = explore({ ...small, ...bounds });
      total.states += states;
      expect(counterexample).toBeUndefined();
    },
    120_000,
  );

  afterAll(() => {
    process.stdout.write(`model checker: ${total.states} states explored, no counterexample\n`);
  });
});

describe('One rule off: the checker finds the way to break it', () => {
  test.each<[keyof Rules, Partial<Bounds>, RegExp]>([
    ['numberAtIssue', { barriers: [2, 1], failures: true }, /newest entry/],
    ['carryPending', { barriers: [2], failures: true }, /is lost/],
    ['verifyClaim', { barriers: [0, 3] }, /upload .* is gone/],
    ['verifyEntry', { barriers: [1, 2] }, /published 2 times/],
    ['repeatInDoubt', { barriers: [1], doubts: 1 }, /was deleted/],
  ])('%s', (rule, bounds, wrong) => {
    const { counterexample } = explore({ ...small, ...bounds, rules: { [rule]: false } });
    expect(counterexample).toMatch(wrong);
  });

  test('a fenced attempt that trusts its own newest entry, not its heir’s, removes what the heir needs', () => {
    const { counterexample } = explore({ ...small, barriers: [1, 0], sweeps: 'always', trusts: 'its own' });
    expect(counterexample).toMatch(/A looks for what it has left\n.*A removes .*\n.*upload 1\.1, .* is gone/);
  });

  test('the trace of a counterexample is short and says what happened', () => {
    const { counterexample } = explore({
      ...small,
      barriers: [1],
      doubts: 1,
      rules: { repeatInDoubt: false },
    });
    expect(counterexample?.split('\n')).toEqual([
      '  1. A starts',
      '  2. A LIST ≥1 → nothing',
      '  3. A PUT A-1 (claim, epoch 1) at 1 → 200',
      '  4. A LIST ≥1 → 1',
      '  5. A checkpoint 1',
      '  6. A PUT A-2 (checkpoint 1) at 2 lands, answer lost',
      '  7. A deletes data/1/1',
      '  ✗  data/1/1, which the newest entry refers to, was deleted',
    ]);
  });
});
