import { concatMap, of, type Observable } from 'rxjs';
import { planRemoval, removePlanned } from '../../../src/checkpoint/savepoints/remove.js';
import { encodeRoot, rootOf } from '../../../src/checkpoint/savepoints/root.js';
import {
  createMemoryStore,
  decorate,
  type ObjectStore,
  type StoreCall,
} from '../../../src/entries/stores.js';
import { keysOf, now } from '../../simulation/world.js';
import { dyingAtEach, folder, isWhole, manifest, stored } from './stopped.js';

const removal = (store: ObjectStore) =>
  planRemoval({ store, key: folder }, { incomplete: true }).pipe(concatMap(removePlanned));

test('a process that dies leaves the savepoint, or an incomplete one, and the next one removes the rest', () => {
  const left = new Set<boolean>();
  dyingAtEach(removal, (store) => {
    left.add(isWhole({ store, key: folder }));
    if (keysOf(store, folder).length > 0) now(removal(store));
    expect(keysOf(store, '')).toEqual([]);
  });
  expect(left.size).toBe(2);
});

test('a root that names other objects than copies is not one of a savepoint', () => {
  const store = createMemoryStore({ uri: 'memory://lake' });
  const root = {
    ...rootOf(manifest, new Map()),
    operators: {},
    data: [['data/0000000001/mine', 1]] as const,
  };
  now(store.put(`${folder}/root`, encodeRoot(root)));
  let error: unknown;
  removal(store).subscribe({ error: (each: unknown) => (error = each) });
  expect(error).toMatchObject({ code: 'NotASavepoint' });
  expect(keysOf(store, '')).toEqual([`${folder}/root`]);
});

test.each([
  ['an object', 'state', [expect.objectContaining({ error: expect.any(Error) as unknown })], undefined],
  ['the root', 'root', undefined, expect.objectContaining({ message: 'held' })],
] as const)('%s that cannot be deleted', (_, suffix, failures, error) => {
  const store = stored();
  const before = keysOf(store, '');
  const held = decorate(store, <T>({ method, key }: StoreCall, run: Observable<T>) =>
    method === 'delete' && key.endsWith(suffix) ? of([{ key, error: new Error('held') }] as T) : run,
  );
  const seen: unknown[] = [undefined, undefined];
  removal(held).subscribe({ next: (each) => (seen[0] = each), error: (each: unknown) => (seen[1] = each) });
  expect(seen).toEqual([failures, error]);
  // Without the root, objects stay, too.
  expect(keysOf(store, '')).toEqual(before.filter((key) => suffix === 'root' || !key.endsWith('root')));
});
