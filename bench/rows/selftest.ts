import { comparison } from '../harness/comparison.js';

const program = { module: new URL('../variants/adding.js', import.meta.url).href, start: 'adding' };

function selftest(name: string, wrong: boolean, processes: 'lasting' | 'fresh') {
  return comparison({
    name,
    title: 'checks the harness itself',
    unit: 'numbers',
    processes,
    rounds: 2,
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
