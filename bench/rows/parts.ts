import { Child } from '../harness/childProcess.js';
import { comparison, type Variant } from '../harness/comparison.js';

const url = (path: string): string => new URL(path, import.meta.url).href;
const MiB = 1 << 20;

/** Where a part takes as long as from another continent, and bandwidth is no limit. */
export const parts = comparison({
  name: 'parts',
  title: 'fileSink with 8 parts in flight, each of which takes 250 ms | with one',
  unit: 'bytes',
  processes: 'lasting',
  rounds: 2,
  warmups: 1,
  async prepare({ quick }) {
    const gateway = await Child.start(
      { module: url('../servers/gateway.js'), start: 'gateway' },
      { bucket: 'bench', sink: 'sink/', partDelay: 250 },
    );
    const variant = (name: string, inFlight: number): Variant => ({
      name,
      program: { module: url('../variants/write.js'), start: 'writingFileSink' },
      params: {
        ...gateway.info,
        bucket: 'bench',
        prefix: `sink/${name}`,
        size: (quick ? 64 : 256) * MiB,
        partSize: 8 * MiB,
        budget: 128 * MiB,
        inFlight,
      },
    });
    return { variants: [variant('ours', 8), variant('one', 1)], close: () => gateway.close() };
  },
  goals: [{ metric: 'vs.one', goal: 2, is: 'at least' }],
});
