import { counting } from '../../src/store/decorators/counting.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { storedKey } from '../../src/state/keys/keys.js';
import { Bench, segmentsOf } from './harness.js';
import { mapState, type MapState } from '../../src/state/kinds/index.js';

/** What a checkpoint costs when one entry of a map has changed: bytes sent, and cells in the segment. */
export function costOfOne(entries: number): { readonly bytes: number; readonly cells: number | undefined } {
  const { store, counts } = counting(createMemoryStore());
  const bench = new Bench(store, { map: mapState<number, unknown>() });
  const change = (work: (map: MapState<number, unknown>) => void): void => {
    bench.backend.at(storedKey('k'));
    work((bench.backend.handles as unknown as { readonly map: MapState<number, unknown> }).map);
    bench.backend.leave();
  };
  change((map) => {
    for (let i = 0; i < entries; i++) map.set(i, i);
  });
  bench.checkpoint();
  const before = counts().bytesUp;
  change((map) => {
    map.set(entries / 2, 'changed');
  });
  const { snapshot } = bench.checkpoint();
  return { bytes: counts().bytesUp - before, cells: segmentsOf(snapshot).at(-1)?.cells };
}
