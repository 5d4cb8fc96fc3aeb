import { Child } from '../harness/childProcess.js';
import { comparison } from '../harness/comparison.js';

const url = (path: string): string => new URL(path, import.meta.url).href;

/** `files` has two requests in flight for each fragment of its window of 8. */
const concurrency = 16;

/** Lasting processes: both variants keep warm connections, as in a job that reads object after object. */
export const small = comparison({
  name: 'small',
  title: `files of 10,000 objects of 4 KiB | a bare node:http pool of as many GETs at a time (${concurrency}), which knows the names`,
  unit: 'bytes',
  processes: 'lasting',
  rounds: 3,
  warmups: 1,
  async prepare({ quick }) {
    const object = { bucket: 'bench', size: 1, count: quick ? 200 : 10_000, smallSize: 4 << 10 };
    const server = await Child.start({ module: url('../servers/objects.js'), start: 'objects' }, object);
    const params = { ...object, ...server.info };
    return {
      variants: [
        {
          name: 'ours',
          program: { module: url('../variants/transfers.js'), start: 'filesSmall' },
          params,
        },
        {
          name: 'pool',
          program: { module: url('../baselines/httpPool.js'), start: 'readSmall' },
          params: { ...params, window: concurrency },
        },
      ],
      close: () => server.close(),
    };
  },
  goals: [{ metric: 'vs.pool', goal: 0.8, is: 'at least' }],
});
