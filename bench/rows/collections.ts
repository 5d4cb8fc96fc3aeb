import { comparison } from '../harness/comparison.js';

const baselines = new URL('../baselines/collections.js', import.meta.url).href;
const ours = new URL('../variants/collections.js', import.meta.url).href;

interface Collection {
  readonly name: 'map' | 'list';
  readonly title: string;
  /** Exported by the variants. */
  readonly start: string;
  /** Exported by the baselines. */
  readonly bare: string;
  readonly quick: Readonly<Record<string, number>>;
  readonly params: Readonly<Record<string, number>>;
}

/** Lasting processes, as for `state`. Checkpoints are in neither variant. */
const collection = ({ name, title, start, bare, quick: fewer, params: all }: Collection) =>
  comparison({
    ...{ name, title },
    unit: 'updates',
    processes: 'lasting',
    rounds: 5,
    warmups: 3,
    prepare({ quick }) {
      const params = quick ? fewer : all;
      return Promise.resolve({
        variants: [
          { name: 'ours', program: { module: ours, start }, params },
          { name: bare, program: { module: baselines, start: bare }, params },
        ],
      });
    },
    goals: [{ metric: `vs.${bare}`, goal: 0.7, is: 'at least' }],
  });

export const map = collection({
  name: 'map',
  title: 'mapState, read-modify-write on 400,000 entries of 20,000 maps | JavaScript Map of Maps',
  start: 'mapStates',
  bare: 'mapOfMaps',
  quick: { keys: 1000, names: 10, updates: 20_000 },
  params: { keys: 20_000, names: 20, updates: 800_000 },
});

export const list = collection({
  name: 'list',
  title: 'listState, appends to 100,000 lists of up to 32 elements | JavaScript Map of arrays',
  start: 'listStates',
  bare: 'mapOfArrays',
  quick: { keys: 1000, longest: 32, updates: 20_000 },
  params: { keys: 100_000, longest: 32, updates: 800_000 },
});
