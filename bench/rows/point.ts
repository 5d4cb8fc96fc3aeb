import { Child } from '../harness/childProcess.js';
import { judge, WrongResult, type Row } from '../harness/row.js';
import { valueBytes } from '../variants/point.js';

const program = { module: new URL('../variants/point.js', import.meta.url).href, start: 'pointReads' };

/** Counts, not times: one run is exact. */
export const point: Row = {
  name: 'point',
  title: 'bytes that openState moves to read one key of 1 GiB of state (exact counts)',
  async run({ quick, progress }) {
    const keys = (quick ? 2 ** 24 : 2 ** 30) / valueBytes;
    progress(`point: state of ${keys} keys`);
    const child = await Child.start(program, { keys });
    const { result } = await child.round();
    await child.close();
    const expected = [0.1, 0.3, 0.5, 0.7, 0.9].map((part) => Math.floor(part * keys)).join();
    if (result.digest !== expected)
      throw new WrongResult(`point: read ${result.digest} instead of ${expected}`);
    const metrics = { stateBytes: result.amount, ...result.extra };
    return {
      name: 'point',
      metrics,
      goals: judge(
        [
          { metric: 'firstBytes', goal: 2 ** 20, is: 'at most' },
          { metric: 'nextBytes', goal: 2 ** 20, is: 'at most' },
        ],
        metrics,
      ),
    };
  },
};
