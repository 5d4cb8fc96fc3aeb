import { comparison } from '../harness/comparison.js';

const baselines = new URL('../baselines/state.js', import.meta.url).href;
const ours = new URL('../variants/state.js', import.meta.url).href;

/**
 * Lasting processes: with many entries, the heap of one variant would slow down the other's garbage collector.
 */
export const state = comparison({
  name: 'state',
  title: 'valueState, read-modify-write on 250,000 keys | bare handle | JavaScript Map | lmdb',
  unit: 'updates',
  processes: 'lasting',
  rounds: 3,
  warmups: 3,
  prepare({ quick }) {
    const params = quick ? { keys: 10_000, updates: 20_000 } : { keys: 250_000, updates: 500_000 };
    return Promise.resolve({
      variants: [
        { name: 'ours', program: { module: ours, start: 'valueStates' }, params },
        // No goal: shows the minimal cost of a handle that tracks changes.
        { name: 'bare', program: { module: ours, start: 'bareHandle' }, params },
        { name: 'map', program: { module: baselines, start: 'jsMap' }, params },
        { name: 'lmdb', program: { module: baselines, start: 'lmdb' }, params },
      ],
    });
  },
  goals: [
    { metric: 'vs.map', goal: 0.85, is: 'at least' },
    { metric: 'vs.lmdb', goal: 4, is: 'at least' },
  ],
});
