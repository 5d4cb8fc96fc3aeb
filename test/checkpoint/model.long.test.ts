import { explore } from './explore.js';
import { small } from './small.js';

test.each([
  ['two that sweep, slots that are freed', { sweeps: 'always', barriers: [0, 3] }],
  ['two that sweep and may stop', { sweeps: 'always', stops: true, barriers: [0, 1] }],
] as const)('all rules on, no reachable world breaks the promise: %s', (_, bounds) => {
  expect(explore({ ...small, ...bounds }).counterexample).toBeUndefined();
});
