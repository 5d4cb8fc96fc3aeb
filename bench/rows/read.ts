import { Child } from '../harness/childProcess.js';
import { comparison } from '../harness/comparison.js';

const url = (path: string): string => new URL(path, import.meta.url).href;

/** Lasting processes: both variants keep warm connections, as in a job that reads object after object. */
export const read = comparison({
  name: 'read',
  title:
    'files of bytes, window 8, 30 ms to the first byte, 90 MB/s a connection | one GetObject stream | bare ranged GetObjects',
  unit: 'bytes',
  processes: 'lasting',
  rounds: 2,
  warmups: 1,
  async prepare({ quick }) {
    const object = { bucket: 'bench', key: 'object', size: (quick ? 32 : 1024) << 20 };
    const shaper = await Child.start(
      { module: url('../servers/shaper.js'), start: 'shaper' },
      { ...object, delay: 30, rate: 90e6 },
    );
    const params = { ...object, ...shaper.info, window: 8, fragment: 8 << 20 };
    return {
      variants: [
        { name: 'ours', program: { module: url('../variants/read.js'), start: 'filesOfBytes' }, params },
        {
          name: 'getObject',
          program: { module: url('../baselines/getObject.js'), start: 'getObject' },
          params,
        },
        {
          // The same window and fragments, by the SDK.
          name: 'pool',
          program: { module: url('../baselines/getObject.js'), start: 'rangedPool' },
          params,
        },
      ],
      close: () => shaper.close(),
    };
  },
  goals: [
    { metric: 'vs.getObject', goal: 5, is: 'at least' },
    { metric: 'vs.pool', goal: 0.95, is: 'at least' },
  ],
});
