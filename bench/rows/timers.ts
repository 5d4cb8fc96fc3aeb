import { comparison } from '../harness/comparison.js';

const url = (path: string): string => new URL(path, import.meta.url).href;

/** Lasting processes, as for `state`. */
export const timers = comparison({
  name: 'timers',
  title: '1 M timers of different keys, set and fired | a bare binary heap',
  unit: 'timers',
  processes: 'lasting',
  rounds: 2,
  warmups: 1,
  prepare({ quick }) {
    const params = { timers: quick ? 10_000 : 1_000_000 };
    return Promise.resolve({
      variants: [
        { name: 'ours', program: { module: url('../variants/timers.js'), start: 'timerStates' }, params },
        { name: 'heap', program: { module: url('../baselines/heap.js'), start: 'binaryHeap' }, params },
      ],
    });
  },
  goals: [{ metric: 'vs.heap', goal: 0.5, is: 'at least' }],
});
