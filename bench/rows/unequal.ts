import { Child } from '../harness/childProcess.js';
import { comparison, type Variant } from '../harness/comparison.js';
import type { Goal, Row } from '../harness/row.js';
import type { Params } from '../harness/workload.js';

const url = (path: string): string => new URL(path, import.meta.url).href;

/**
 * Reads NDJSON from a server that answers one request of four at a quarter of the speed: what comes in order waits for the slow ones.
 * All variants have as many connections.
 */
const unequal = (row: {
  readonly name: string;
  readonly title: string;
  /** The input is one object, or has objects of half a megabyte. */
  readonly one: boolean;
  readonly variants: Readonly<Record<string, Params>>;
  readonly pool: string;
  readonly goals: readonly Goal[];
}): Row =>
  comparison({
    ...row,
    unit: 'bytes',
    processes: 'lasting',
    rounds: 1,
    warmups: 1,
    async prepare({ quick }) {
      const objects = quick ? 8 : 96;
      const files = row.one ? 1 : objects;
      const server = await Child.start(
        { module: url('../servers/shaper.js'), start: 'shaper' },
        { bucket: 'bench', files, size: objects * 5e5, delay: 30, rate: 8e6, slow: 4 },
      );
      const params = { bucket: 'bench', files, ...server.info, window: 8, fragment: 512 << 10 };
      const ours = Object.entries(row.variants).map(([name, own]): Variant => ({
        name,
        program: { module: url('../variants/lines.js'), start: 'filesOfLines' },
        params: { ...params, ...own },
      }));
      const pool = { module: url('../baselines/linesPool.js'), start: row.pool };
      return {
        variants: [...ours, { name: 'pool', program: pool, params }],
        close: () => server.close(),
      };
    },
  });

export const parallelism = unequal({
  name: 'parallelism',
  title:
    'files of 96 objects of 0.5 MB with parallelism 8, one of four slow | with 1 | a bare node:http pool',
  one: false,
  variants: { ours: { parallelism: 8 }, one: { parallelism: 1 } },
  pool: 'objectsOfLines',
  goals: [
    { metric: 'vs.one', goal: 1.5, is: 'at least' },
    { metric: 'vs.pool', goal: 0.9, is: 'at least' },
  ],
});

export const splits = unequal({
  name: 'splits',
  title:
    'files of one object of 48 MB in splits, parallelism 8, one request of four slow | whole | a loop over ranges',
  one: true,
  variants: { ours: { parallelism: 8, split: 5e5 }, whole: { parallelism: 1 } },
  pool: 'rangesOfLines',
  goals: [
    { metric: 'vs.whole', goal: 1.5, is: 'at least' },
    { metric: 'vs.pool', goal: 0.9, is: 'at least' },
  ],
});
