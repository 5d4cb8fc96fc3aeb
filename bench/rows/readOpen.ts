import { Child } from '../harness/childProcess.js';
import { comparison } from '../harness/comparison.js';

const url = (path: string): string => new URL(path, import.meta.url).href;

/** Nothing limits the link, so what is compared is the work for each byte. Both have eight connections. */
export const readOpen = comparison({
  name: 'read-open',
  title:
    'fragments, window 8, on an open link | a bare node:http pool of ranged GETs | the same with our libraries loaded',
  unit: 'bytes',
  processes: 'lasting',
  rounds: 3,
  warmups: 1,
  async prepare({ quick }) {
    const object = { bucket: 'bench', size: (quick ? 32 : 1024) << 20, count: 1, smallSize: 1 };
    const server = await Child.start({ module: url('../servers/objects.js'), start: 'objects' }, object);
    const params = { ...object, ...server.info, key: 'big', window: 8, fragment: 8 << 20 };
    return {
      variants: [
        {
          name: 'ours',
          program: { module: url('../variants/read.js'), start: 'fragmentsOfObject' },
          params,
        },
        { name: 'pool', program: { module: url('../baselines/httpPool.js'), start: 'readBig' }, params },
        {
          name: 'loaded',
          program: { module: url('../baselines/httpPool.js'), start: 'readBigLoaded' },
          params,
        },
      ],
      close: () => server.close(),
    };
  },
  goals: [{ metric: 'vs.pool', goal: 0.9, is: 'at least' }],
});
