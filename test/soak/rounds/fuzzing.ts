/**
 * Decoders of foreign input, one per round: thousands of inputs, none of which may hang or fail with an untyped error.
 */
import { fuzz } from '../../fuzz/fuzz.js';
import { targets } from '../../fuzz/targets/index.js';
import type { Round, Tally } from '../round.js';

const inputs = 5000;

export const fuzzing: readonly Round[] = targets.map((target) => ({
  name: `fuzzing: ${target.name}`,
  run: async (seed): Promise<Tally> => {
    const findings = await fuzz([target], seed * inputs, inputs);
    return {
      kills: 0,
      checkpoints: 0,
      records: 0,
      lost: 0,
      duplicated: 0,
      leftovers: [],
      wrong: findings.map(({ seed, what }) => `input ${seed}: ${what}`),
      note: `${inputs} inputs`,
    };
  },
}));
