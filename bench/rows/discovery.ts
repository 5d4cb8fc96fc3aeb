import { Child } from '../harness/childProcess.js';
import { judge, WrongResult, type Row } from '../harness/row.js';

const program = { module: new URL('../variants/discovery.js', import.meta.url).href, start: 'discovery' };

/** Counts, not times. */
export const discovery: Row = {
  name: 'discovery',
  title:
    'what a continuous source over a million objects keeps, and requests in a round; all within the horizon, or none',
  async run({ quick, progress }) {
    const objects = quick ? 5000 : 1_000_000;
    const metrics: Record<string, number> = {};
    for (const recent of [true, false]) {
      const name = recent ? 'recent' : 'old';
      progress(`discovery: ${objects} ${name} objects`);
      const child = await Child.start(program, { objects, recent });
      const { result } = await child.round();
      await child.close();
      if (result.digest !== String(objects))
        throw new WrongResult(`discovery: read ${result.digest} instead of ${objects}`);
      for (const [metric, value] of Object.entries(result.extra ?? {})) metrics[`${name}.${metric}`] = value;
    }
    return {
      name: 'discovery',
      metrics,
      goals: judge(
        [
          { metric: 'recent.checkpointBytes', goal: 21 * objects + 10_000, is: 'at most' },
          { metric: 'old.checkpointBytes', goal: 10_000, is: 'at most' },
        ],
        metrics,
      ),
    };
  },
};
