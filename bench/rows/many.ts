import { Child } from '../harness/childProcess.js';
import { judge, WrongResult, type Row, type RunOptions } from '../harness/row.js';
import { checkpointCost } from '../variants/checkpointCost.js';
import { budget } from '../variants/many.js';

const url = (path: string): string => new URL(path, import.meta.url).href;

/**
 * Requests are counted exactly, with as many records between two checkpoints for 50 files as for 5,000. Memory is that of a job whose
 * files have more bytes than its sink's budget, and are open until the input ends: `overBudgetMB` is the peak of buffers that are
 * held, beyond the budget and the half of it that may be taken besides; `bufferMB` is the peak with garbage.
 */
export const many: Row = {
  name: 'many',
  title: 'fileSink with 5,000 open files: requests of a checkpoint, as with 50 (exact counts), and memory',
  async run(options) {
    const files = options.quick ? 200 : 5000;
    const few = checkpointCost(files, options.quick ? 20 : 50).requests;
    const all = checkpointCost(files, files).requests;
    const job = await memory(files, options);
    const metrics = {
      'few.requests': few,
      'many.requests': all,
      moreRequests: all - few,
      bufferMB: job.bufferBytes / 1e6,
      heldMB: job.heldBytes / 1e6,
      overBudgetMB: (job.heldBytes - 1.5 * budget) / 1e6,
      checkpoints: job.checkpoints,
      published: job.files,
    };
    return {
      name: 'many',
      metrics,
      goals: judge(
        [
          { metric: 'moreRequests', goal: 0, is: 'at most' },
          { metric: 'overBudgetMB', goal: 0, is: 'at most' },
        ],
        metrics,
      ),
    };
  },
};

interface Extra {
  readonly heldBytes: number;
  readonly bufferBytes: number;
  readonly checkpoints: number;
  readonly files: number;
}

async function memory(files: number, { progress }: RunOptions): Promise<Extra> {
  progress(`many: memory, ${files} files`);
  const records = 100;
  const gateway = await Child.start(
    { module: url('../servers/gateway.js'), start: 'gateway' },
    { bucket: 'bench' },
  );
  const params = { ...gateway.info, bucket: 'bench', files, records };
  const child = await Child.start({ module: url('../variants/many.js'), start: 'manyFiles' }, params);
  try {
    const { result } = await child.round();
    if (result.digest !== `${files * records} records`)
      throw new WrongResult(`many: ${result.digest} were stored, not ${files * records}`);
    return result.extra as unknown as Extra;
  } finally {
    await child.close();
    await gateway.close();
  }
}
