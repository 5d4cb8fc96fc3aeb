import { toArray } from 'rxjs';
import { listAll, type Stores } from '../../src/entries/stores.js';
import { now } from '../job/harness.js';

/** The values in the lines of all objects in `memory://lake` below a prefix. */
export function linesBelow(stores: Stores, prefix: string): unknown[] {
  const { store } = stores.open('memory://lake/');
  return now(listAll(store, prefix).pipe(toArray()))
    .flat()
    .flatMap(({ key }) =>
      Buffer.concat(now(store.get(key)).chunks)
        .toString()
        .trim()
        .split('\n'),
    )
    .map((line) => JSON.parse(line) as unknown);
}
