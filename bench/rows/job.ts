import { comparison } from '../harness/comparison.js';
import { mainInput } from '../servers/mainInput.js';

const url = (path: string): string => new URL(path, import.meta.url).href;

/**
 * Fresh processes: both are whole programs, and must not start with a million counts of an earlier round in the heap.
 * Loading the code is not measured. Ours takes a checkpoint each second, as the demo does.
 */
export const job = comparison({
  name: 'job',
  title: 'the main job, a checkpoint each second | a hand-written program without guarantees',
  unit: 'events',
  processes: 'fresh',
  rounds: 5,
  warmups: 1,
  async prepare(options) {
    const input = await mainInput(options.quick ? 20_000 : 2_000_000, options);
    return {
      variants: [
        {
          name: 'ours',
          program: { module: url('../variants/mainJob.js'), start: 'mainJob' },
          params: { ...input.params, interval: '1s' },
        },
        {
          name: 'handwritten',
          program: { module: url('../variants/handwritten.js'), start: 'handwritten' },
          params: input.params,
        },
      ],
      between: () => input.clear(),
      close: () => input.close(),
    };
  },
  goals: [{ metric: 'vs.handwritten', goal: 0.8, is: 'at least' }],
});
