import { comparison } from '../harness/comparison.js';

const module = new URL('../variants/flow.js', import.meta.url).href;

/** Lasting processes: measures the optimized loop, and one variant must not influence the other's JIT. */
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
        // No goal: shows the unavoidable cost of in-band signals.
        { name: 'bare', program: { module, start: 'bare' }, params },
        { name: 'rxjs', program: { module, start: 'plain' }, params },
      ],
    });
  },
  goals: [{ metric: 'vs.rxjs', goal: 0.95, is: 'at least' }],
});
