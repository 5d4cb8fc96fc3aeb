import { explore } from './explore.js';
import type { Bounds } from './model.js';
import { small } from './small.js';

const anyOrder: Partial<Bounds> = { acks: 'in any order' };

test.each<[string, Partial<Bounds>]>([
  [
    'two attempts, failed checkpoints, open files, a PUT in doubt',
    { failures: true, openFiles: true, doubts: 1 },
  ],
  ['two attempts, a PUT in doubt', { doubts: 1 }],
  ['two attempts, two PUTs in doubt', { doubts: 2 }],
  ['two attempts that sweep whenever they may, open files', { sweeps: 'always', openFiles: true }],
  ['two attempts that begin with a savepoint', { adopts: true, units: 3 }],
  ['two attempts that write until slots are freed', { barriers: [1, 2] }],
  ['two attempts that claim again when they lost', { claims: 2 }],
  ['three attempts, a PUT in doubt', { barriers: [1, 0, 0], doubts: 1 }],
  ['three that sweep', { sweeps: 'always', barriers: [1, 0, 0] }],
  ['two that sweep, slots that are freed', { sweeps: 'always', barriers: [0, 3] }],
  ['two that sweep and may stop, the first writes', { sweeps: 'always', stops: true, barriers: [1, 0] }],
  ['two that sweep and may stop, the second writes', { sweeps: 'always', stops: true, barriers: [0, 1] }],
  [
    'savepoints of two that sweep, of which one writes',
    { barriers: [1, 0], savepoints: [1, 1], sweeps: 'always' },
  ],
  ['acks in any order, open files, two attempts', { ...anyOrder, openFiles: true, barriers: [2, 0] }],
  [
    'acks in any order, failures, a stop',
    {
      ...anyOrder,
      barriers: [2],
      ticks: 2,
      stops: true,
      settings: { timeoutMs: 10, tolerableFailures: 1 },
    },
  ],
])('all rules on, no reachable world breaks the promise: %s', (_, bounds) => {
  expect(explore({ ...small, ...bounds }).counterexample).toBeUndefined();
});
