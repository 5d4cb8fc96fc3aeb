import { comparison } from '../harness/comparison.js';
import { judge, type Row } from '../harness/row.js';

const url = (path: string): string => new URL(path, import.meta.url).href;
const ours = { module: url('../variants/parse.js'), start: 'parsed' };
const loop = (start: string) => ({ module: url('../baselines/parseLoop.js'), start });

/** The forms, and the loops that each is compared with. */
const forms = {
  ndjson: { loop: 'parseLoop' },
  csv: { loop: 'parseLoop' },
  // `sync` has no goal: all of the content is in memory.
  gzip: { loop: 'parseLoop', sync: 'gunzipAtOnce' },
};

const comparisons = Object.entries(forms).map(([form, loops]) =>
  comparison({
    name: `parse ${form}`,
    title: '',
    unit: 'records',
    processes: 'lasting',
    rounds: 3,
    warmups: 2,
    prepare({ quick }) {
      const params = { form, size: (quick ? 4 : 64) << 20 };
      return Promise.resolve({
        variants: [
          { name: 'ours', program: ours, params },
          ...Object.entries(loops).map(([name, start]) => ({ name, program: loop(start), params })),
        ],
      });
    },
    goals: [],
  }),
);

export const parse: Row = {
  name: 'parse',
  title:
    'files of NDJSON, CSV and gzip in memory, by `files` | by hand-written loops with the same libraries',
  async run(options) {
    const metrics: Record<string, number> = {};
    for (const [i, form] of Object.keys(forms).entries())
      for (const [name, value] of Object.entries((await comparisons[i]!.run(options)).metrics))
        metrics[`${form}.${name}`] = value;
    return {
      name: 'parse',
      metrics,
      goals: judge(
        Object.keys(forms).map((form) => ({ metric: `${form}.vs.loop`, goal: 0.9, is: 'at least' })),
        metrics,
      ),
    };
  },
};
