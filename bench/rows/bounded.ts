import { Child } from '../harness/childProcess.js';
import { comparison } from '../harness/comparison.js';
import { judge, WrongResult, type Row, type RunOptions } from '../harness/row.js';
import { digestOfLowered } from '../synthetic/lowered.js';
import { budget, largestFile, sink } from '../variants/bounded.js';

const url = (path: string): string => new URL(path, import.meta.url).href;
const ours = url('../variants/bounded.js');

/** Lasting processes: a copy is long, and what a process does first is not the subject. */
const copies = comparison({
  name: 'bounded',
  title: '',
  unit: 'bytes',
  processes: 'lasting',
  rounds: 2,
  warmups: 1,
  async prepare({ quick }) {
    const size = (quick ? 24 : 256) << 20;
    const server = await Child.start(
      { module: url('../servers/gateway.js'), start: 'gateway' },
      { bucket: 'bench', sink, sizes: String(size) },
    );
    const params = { bucket: 'bench', size, ...server.info };
    return {
      variants: [
        { name: 'ours', program: { module: ours, start: 'boundedCopy' }, params },
        {
          name: 'loop',
          program: { module: url('../baselines/copyLoop.js'), start: 'copyLoop' },
          params,
        },
      ],
      close: () => server.close(),
    };
  },
  goals: [],
});

/** What a large object takes beyond the warmed-up process. Megabytes. */
async function memory({ quick, progress }: RunOptions): Promise<{ readonly overBudgetMB: number }> {
  const size = quick ? 256 * 2 ** 20 : 10 * 2 ** 30;
  progress(`bounded: memory, an object of ${size} bytes`);
  const child = await Child.start({ module: ours, start: 'boundedInProcess' }, { warm: 16 << 20, size });
  await child.round();
  const { peakBytes, idleBytes, result } = await child.round();
  await child.close();
  const files = [digestOfLowered(Math.min(size, largestFile))];
  if (size > largestFile) files.push(digestOfLowered(size - largestFile, largestFile));
  const expected = files.join(' ');
  if (result.digest !== expected)
    throw new WrongResult(`bounded: wrote ${result.digest} instead of ${expected}`);
  return { overBudgetMB: (peakBytes - idleBytes - budget) / 1e6 };
}

export const bounded: Row = {
  name: 'bounded',
  title:
    'an object in lower case, by bounded() with an operator of RxJS | by a loop over a GetObject stream into lib-storage; and the memory for 10 GiB',
  async run(options) {
    const { metrics: speed } = await copies.run(options);
    const metrics = { ...speed, ...(await memory(options)) };
    return {
      name: 'bounded',
      metrics,
      goals: judge([{ metric: 'overBudgetMB', goal: 100, is: 'at most' }], metrics),
    };
  },
};
