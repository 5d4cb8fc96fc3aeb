import { comparison } from '../harness/comparison.js';

const module = new URL('../variants/flow.js', import.meta.url).href;

/** Lasting processes: the subject is the optimized loop, and what one variant teaches the JIT must not reach the other. */
export const flow = comparison({
  name: 'flow',
  title:
    'records(map, filter, map) with credits and barriers | a bare type test before the chain | the chain without',
  unit: 'records',
  processes: 'lasting',
  rounds: 3,
  warmups: 2,
  prepare({ quick }) {
    const params = { count: quick ? 200_000 : 10_000_000 };
    return Promise.resolve({
      variants: [
        { name: 'ours', program: { module, start: 'lifted' }, params },
        // Judged by no goal: it shows how much of what is missing any signals in-band would cost.
        { name: 'bare', program: { module, start: 'bare' }, params },
        { name: 'rxjs', program: { module, start: 'plain' }, params },
      ],
    });
  },
  goals: [{ metric: 'vs.rxjs', goal: 0.95, is: 'at least' }],
});
