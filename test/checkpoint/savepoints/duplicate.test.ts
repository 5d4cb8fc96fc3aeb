import { duplicateSavepoint } from '../../../src/checkpoint/savepoints/duplicate.js';
import type { ObjectStore } from '../../../src/entries/stores.js';
import { SimulatedClock } from '../../../src/testing/index.js';
import { keysOf, now, textOf } from '../../simulation/world.js';
import { dyingAtEach, folder, isWhole, stored } from './stopped.js';

const copy = folder.replace('savepoints/', 'archive/');
const duplicate = (store: ObjectStore, to = copy) =>
  duplicateSavepoint({
    ...{ source: { store, key: folder, bucket: '' }, target: { store, key: `${to}/`, bucket: '' } },
    ...{ sign: undefined, clock: new SimulatedClock(), random: () => 0.5 },
  });

test('a process that dies leaves no root without its objects, and the next one completes the copy', () => {
  const left = new Set<boolean>();
  dyingAtEach(duplicate, (store) => {
    left.add(isWhole({ store, key: copy }));
    now(duplicate(store));
    expect(isWhole({ store, key: copy })).toBe(true);
    for (const key of keysOf(store, folder))
      expect(textOf(store, key.replace(folder, copy))).toBe(textOf(store, key));
  });
  expect(left.size).toBe(2);
});

test('an object that is missing is found before anything is copied', () => {
  const store = stored();
  const [, second = ''] = keysOf(store, folder);
  now(store.delete([second]));
  let error: unknown;
  duplicate(store).subscribe({ error: (each: unknown) => (error = each) });
  expect(error).toMatchObject({ code: 'SavepointCorrupt' });
  expect(keysOf(store, copy)).toEqual([]);
});

test('the directory of a job is no target', () => {
  const store = stored();
  now(store.put('checkpoints/clicks/log/00000000000000000001', Buffer.from('x')));
  let error: unknown;
  duplicate(store, 'checkpoints/clicks').subscribe({ error: (each: unknown) => (error = each) });
  expect(error).toMatchObject({ code: 'SavepointExists' });
});
