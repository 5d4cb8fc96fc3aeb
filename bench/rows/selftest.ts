import { comparison } from '../harness/comparison.js';
import type { Start } from '../harness/workload.js';

/** Adds numbers up; `wrong` adds one too many, which the harness has to notice. */
export const adding: Start = ({ count, wrong }) => ({
  round() {
    let sum = wrong === true ? 1 : 0;
    for (let n = 0; n < Number(count); n++) sum += n;
    return Promise.resolve({
      digest: String(sum),
      amount: Number(count),
      extra: { additions: Number(count) },
    });
  },
});

const program = { module: import.meta.url, start: 'adding' };

function selftest(name: string, wrong: boolean, processes: 'lasting' | 'fresh') {
  return comparison({
    name,
    title: 'checks the harness itself',
    unit: 'numbers',
    processes,
    rounds: 3,
    warmups: 1,
    prepare: () =>
      Promise.resolve({
        variants: [
          { name: 'ours', program, params: { count: 1_000_000 } },
          { name: 'theirs', program, params: { count: 1_000_000, wrong } },
        ],
      }),
    goals: [
      { metric: 'vs.theirs', goal: 1e-3, is: 'at least' },
      { metric: 'vs.theirs', goal: 1e-3, is: 'at most' },
    ],
  });
}

export const selftests = [
  selftest('selftest', false, 'lasting'),
  selftest('selftest-fresh', false, 'fresh'),
  selftest('selftest-wrong', true, 'lasting'),
];
