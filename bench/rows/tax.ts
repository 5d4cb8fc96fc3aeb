import { comparison } from '../harness/comparison.js';
import { mainInput } from '../servers/mainInput.js';

const program = { module: new URL('../variants/mainJob.js', import.meta.url).href, start: 'mainJob' };

/**
 * Fresh processes, as for `job`. The input is longer than that of `job`, so that there are checkpoints to pay for.
 * Rounds differ by more than the cost of a checkpoint, so there are many.
 */
export const tax = comparison({
  name: 'tax',
  title: 'the main job with a checkpoint each second | without checkpoints',
  unit: 'events',
  processes: 'fresh',
  rounds: 9,
  warmups: 1,
  async prepare(options) {
    const input = await mainInput(options.quick ? 20_000 : 4_000_000, options);
    return {
      variants: [
        { name: 'ours', program, params: { ...input.params, interval: options.quick ? '20ms' : '1s' } },
        { name: 'without', program, params: input.params },
      ],
      between: () => input.clear(),
      close: () => input.close(),
    };
  },
  goals: [{ metric: 'vs.without', goal: 0.93, is: 'at least' }],
});
