import type { Start } from '../harness/workload.js';

/** Adds numbers; `wrong` adds one too many, which the harness must detect. */
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
