import { comparison } from '../harness/comparison.js';

const baselines = new URL('../baselines/collections.js', import.meta.url).href;
const ours = new URL('../variants/collections.js', import.meta.url).href;

/** Lasting processes, as for `state`. Checkpoints are in neither variant. */
export const map = comparison({
  name: 'map',
  title: 'mapState, read-modify-write on 400,000 entries of 20,000 maps | JavaScript Map of Maps',
  unit: 'updates',
  processes: 'lasting',
  rounds: 5,
  warmups: 3,
  prepare({ quick }) {
    const params = quick
      ? { keys: 1000, names: 10, updates: 20_000 }
      : { keys: 20_000, names: 20, updates: 800_000 };
    return Promise.resolve({
      variants: [
        { name: 'ours', program: { module: ours, start: 'mapStates' }, params },
        { name: 'mapOfMaps', program: { module: baselines, start: 'mapOfMaps' }, params },
      ],
    });
  },
  goals: [{ metric: 'vs.mapOfMaps', goal: 0.7, is: 'at least' }],
});

/** As `map`. */
export const list = comparison({
  name: 'list',
  title: 'listState, appends to 100,000 lists of up to 32 elements | JavaScript Map of arrays',
  unit: 'updates',
  processes: 'lasting',
  rounds: 5,
  warmups: 3,
  prepare({ quick }) {
    const params = quick
      ? { keys: 1000, longest: 32, updates: 20_000 }
      : { keys: 100_000, longest: 32, updates: 800_000 };
    return Promise.resolve({
      variants: [
        { name: 'ours', program: { module: ours, start: 'listStates' }, params },
        { name: 'mapOfArrays', program: { module: baselines, start: 'mapOfArrays' }, params },
      ],
    });
  },
  goals: [{ metric: 'vs.mapOfArrays', goal: 0.7, is: 'at least' }],
});
