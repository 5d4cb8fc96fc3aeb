/** The commit protocol under the model checker, in worlds too large for the tests: which of them, the seed decides. */
import { explore } from '../../checkpoint/explore.js';
import type { Bounds } from '../../checkpoint/model.js';
import { small } from '../../checkpoint/small.js';
import { pick, seeded } from '../../simulation/random.js';
import type { Round, Tally } from '../round.js';

const worlds: readonly (readonly [string, Partial<Bounds>])[] = [
  ['three that sweep and may stop', { sweeps: 'always', stops: true, barriers: [0, 1, 0] }],
  ['three that sweep, a PUT in doubt', { sweeps: 'always', barriers: [1, 0, 0], doubts: 1 }],
  ['three of which two write', { barriers: [1, 1, 0] }],
];

/** About a minute, and a gigabyte of memory. */
const limit = 200_000;

export const model: Round = { name: 'model', run };

function run(seed: number): Promise<Tally> {
  const [name, bounds] = pick(seeded(seed), worlds);
  const { states, counterexample } = explore({ ...small, ...bounds }, limit);
  return Promise.resolve({
    kills: 0,
    checkpoints: 0,
    records: 0,
    lost: 0,
    duplicated: 0,
    leftovers: [],
    wrong: counterexample === undefined ? [] : [`${name}: ${counterexample}`],
    note: `${name}: ${states} states`,
  });
}
