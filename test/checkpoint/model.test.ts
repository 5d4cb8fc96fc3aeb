import { checkpointRules, type CheckpointRules } from '../../src/checkpoint/checkpointState.js';
import { logRules, type LogRules } from '../../src/checkpoint/logState.js';
import { explore } from './explore.js';
import type { Bounds } from './model.js';
import { small } from './small.js';

/**
 * Every world that a few attempts can reach is visited. With all rules on, a restart from any of them is exact; with any one
 * of them off, the checker shows how it goes wrong. The larger worlds are in `model.long.test.ts`, the largest in the soak.
 */
const total = { states: 0 };
const tried = new Set<string>();

const periodic = { intervalMs: 10, minPauseMs: 15 };
const timeouts = { timeoutMs: 10, tolerableFailures: 1 };
/** One attempt writes, the other claims the log from it. */
const claimed: Partial<Bounds> = { barriers: [1, 0] };
const anyOrder: Partial<Bounds> = { acks: 'in any order' };
const openSavepoint: Partial<Bounds> = { barriers: [1], openFiles: true, savepoints: [1] };
const adopted: Partial<Bounds> = { adopts: true, barriers: [1, 0] };
const amended: Partial<Bounds> = { openFiles: true, amends: true, barriers: [1, 1] };

describe('All rules on: no reachable world breaks the promise', () => {
  test.each<[string, Partial<Bounds>]>([
    ['two attempts, failed checkpoints, open files', { failures: true, openFiles: true }],
    [
      'one that writes, one that claims, a PUT in doubt, open files',
      { ...claimed, openFiles: true, doubts: 1 },
    ],
    ['one that writes, one that claims, two PUTs in doubt', { ...claimed, doubts: 2 }],
    ['two attempts that claim again when they lost', { ...claimed, claims: 2 }],
    ['three attempts', { barriers: [1, 0, 0] }],
    ['two that sweep, two PUTs in doubt', { ...claimed, sweeps: 'always', doubts: 2 }],
    ['two that sweep and may stop', { sweeps: 'always', stops: true, barriers: [0, 0] }],
    ['acks in any order', { ...anyOrder, barriers: [3] }],
    ['acks in any order, open files', { ...anyOrder, openFiles: true, barriers: [2] }],
    ['acks in any order, open files, two attempts', { ...anyOrder, ...claimed, openFiles: true }],
    [
      'acks in any order, failures, a stop',
      { ...anyOrder, barriers: [1], ticks: 2, stops: true, settings: timeouts },
    ],
    ['periodic barriers, a stop', { ...anyOrder, barriers: [0], ticks: 4, stops: true, settings: periodic }],
    ['files that are amended before they are published', amended],
    ['a savepoint while checkpoints continue', { barriers: [2], savepoints: [1] }],
    ['savepoints of two attempts', { barriers: [0, 0], savepoints: [1, 1] }],
    ['a savepoint, a claim, sweeps', { barriers: [0, 0], savepoints: [1, 0], sweeps: 'always' }],
    ['a savepoint, open files, acks in any order', { ...anyOrder, ...openSavepoint }],
    ['a savepoint and a stop', { barriers: [1], savepoints: [1], stops: true }],
    ['a savepoint, a PUT in doubt', { barriers: [1], savepoints: [1], doubts: 1 }],
    ['two that begin with a savepoint and sweep', { ...adopted, sweeps: 'always' }],
    ['two that begin with a savepoint, a PUT in doubt', { ...adopted, doubts: 1 }],
  ])('%s', (_, bounds) => {
    const { states, counterexample } = explore({ ...small, ...bounds });
    total.states += states;
    expect(counterexample).toBeUndefined();
  });

  afterAll(() => {
    process.stdout.write(`model checker: ${total.states} states explored, no counterexample\n`);
  });
});

describe('One rule off: the checker finds a counterexample', () => {
  test.each<[keyof (LogRules & CheckpointRules), Partial<Bounds>, RegExp]>([
    ['numberAtIssue', { barriers: [2, 1], failures: true }, /newest entry/],
    ['carryPending', { barriers: [2], failures: true }, /is lost/],
    ['verifyClaim', { barriers: [0, 3] }, /upload .* is gone/],
    ['verifyEntry', { barriers: [1, 2] }, /published 2 times/],
    ['repeatInDoubt', { barriers: [1], doubts: 1 }, /was deleted/],
    [
      'oneUnfinished',
      { ...anyOrder, barriers: [0], ticks: 2, settings: periodic },
      /begins checkpoint 2 while 1 is unfinished/,
    ],
    ['minPause', { barriers: [0], ticks: 2, settings: periodic }, /begins checkpoint 2 without a pause/],
    ['nothingAfterLast', { barriers: [1], stops: true }, /after its last one/],
    ['allAcks', { ...anyOrder, barriers: [1] }, /is lost/],
    ['sinksInOrder', { ...anyOrder, barriers: [2] }, /is lost/],
    ['newerOnly', { ...anyOrder, barriers: [2] }, /is published, and will be again/],
    ['lateAcks', { ...anyOrder, barriers: [2], ticks: 1, settings: timeouts }, /is lost/],
    ['overtakenNeedsNothing', { ...anyOrder, barriers: [3] }, /A breaks: .*declared garbage/],
    [
      'failedForGood',
      { ...anyOrder, barriers: [1], ticks: 1, settings: timeouts },
      /checkpoint 1 is durable, after it was failed/,
    ],
    [
      'issuedNeverFails',
      { barriers: [1], ticks: 1, settings: timeouts },
      /checkpoint 1 is durable, after it was failed/,
    ],
    [
      'subsumes',
      { ...anyOrder, barriers: [2], ticks: 1, settings: timeouts },
      /checkpoint 1 is failed, after 2 was durable/,
    ],
    [
      'tolerance',
      { failures: true, barriers: [2], ticks: 2, settings: timeouts },
      /continues after 2 failures in a row/,
    ],
    ['inARow', { failures: true, barriers: [3], ticks: 2, settings: timeouts }, /had to tolerate it/],
    [
      'lastMustSucceed',
      { ...anyOrder, ticks: 1, stops: true, settings: timeouts },
      /continues after its last checkpoint failed/,
    ],
    ['publishRestored', { barriers: [1, 0], stops: true }, /B has not been told to publish 1\.1/],
    ['publishDurable', amended, /1\.1 is published, and will be again/],
    ['settle', { barriers: [1], stops: true }, /has settled, and 1\.1 is pending/],
    ['pin', { barriers: [2], savepoints: [1] }, /A has deleted data\/1\/1, which its savepoint needs/],
    [
      'savepointClosed',
      { ...anyOrder, ...openSavepoint },
      /savepoint A1 begins at 2, and . units before it are published|a file spans savepoint A1/,
    ],
    [
      'savepointPublished',
      { barriers: [0], savepoints: [1] },
      /savepoint A1 begins at 1, and 0 units before it are published/,
    ],
  ])('%s', (rule, bounds, wrong) => {
    const { counterexample } = explore({ ...small, ...bounds, rules: { [rule]: false } });
    expect(counterexample).toMatch(wrong);
    tried.add(rule);
  });

  test('every rule has been turned off', () => {
    expect([...tried].sort()).toEqual(Object.keys({ ...logRules, ...checkpointRules }).sort());
  });

  test('a fenced attempt that trusts its own newest entry, not its successor’s, removes what the successor needs', () => {
    const { counterexample } = explore({
      ...small,
      barriers: [1, 0],
      sweeps: 'always',
      stops: true,
      trusts: 'its own',
    });
    expect(counterexample).toMatch(
      /A looks for what it has left\n.*A removes .*\n.* the newest entry .*, was deleted/,
    );
  });

  test('the trace of a counterexample is short and describes what happened', () => {
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
