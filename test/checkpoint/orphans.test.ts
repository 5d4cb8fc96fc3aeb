import { throwError } from 'rxjs';
import { dataKey } from '../../src/checkpoint/dataPlace.js';
import { orphans } from '../../src/checkpoint/orphans.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { StoreError } from '../../src/store/errors.js';

const key = (epoch: number, name: string): string => `cp/job/data/${String(epoch).padStart(10, '0')}/${name}`;

test('uploads of data objects that dead attempts never completed are aborted, and only they', () => {
  const store = createMemoryStore({ uri: 'memory://lake' });
  const keys = [key(1, 'a-1.seg'), key(2, 'a-1.seg'), key(3, 'a-1.seg'), 'cp/other/data/0000000001/a-1.seg'];
  for (const each of keys) store.createUpload(each).subscribe();
  store.put(key(2, 'b-1.journal'), Buffer.from('left')).subscribe();
  const found: string[][] = [];
  orphans(store, { prefix: 'cp/job/' }, 3).subscribe((each) => found.push(each));
  expect(found).toEqual([['data/0000000002/b-1.journal']]);
  const left: string[] = [];
  store.listUploads({ prefix: '' }).subscribe(({ uploads }) => left.push(...uploads.map((each) => each.key)));
  expect(left.sort()).toEqual([keys[2], keys[3]].sort());
});

test('without the right to list uploads the objects are found, and then comes the error', () => {
  const memory = createMemoryStore({ uri: 'memory://lake' });
  memory.put(key(2, 'b-1.journal'), Buffer.from('left')).subscribe();
  const store = {
    ...decorate(memory, (_, run) => run),
    listUploads: () => throwError(() => new StoreError('PermissionDenied', 'no')),
  };
  const heard: unknown[] = [];
  orphans(store, { prefix: 'cp/job/' }, 3).subscribe({
    next: (each) => heard.push(each),
    error: (error: unknown) => heard.push((error as StoreError).code),
  });
  expect(heard).toEqual([['data/0000000002/b-1.journal'], 'PermissionDenied']);
});

test('with entropy they are found under each of its values, and their names hold it', () => {
  const store = createMemoryStore({ uri: 'memory://lake' });
  const place = { prefix: 'cp/job/', entropy: { at: 3, name: true, values: ['aaaa', 'bbbb', 'aaaa'] } };
  const spread = (value: string, epoch: number): string =>
    `cp/${value}/job/data/${String(epoch).padStart(10, '0')}/${value}/a-1.seg`;
  for (const value of ['aaaa', 'bbbb', 'cccc'])
    for (const epoch of [2, 3]) {
      store.put(spread(value, epoch), Buffer.from('left')).subscribe();
      store.createUpload(spread(value, epoch)).subscribe();
    }
  const found: string[][] = [];
  orphans(store, place, 3).subscribe((each) => found.push(each));
  expect(found).toEqual([['data/0000000002/aaaa/a-1.seg', 'data/0000000002/bbbb/a-1.seg']]);
  expect(found[0]?.map((name) => dataKey(place, name))).toEqual([spread('aaaa', 2), spread('bbbb', 2)]);
  const left: string[] = [];
  store.listUploads({ prefix: '' }).subscribe(({ uploads }) => left.push(...uploads.map(({ key }) => key)));
  expect(left).toEqual([spread('aaaa', 3), spread('bbbb', 3), spread('cccc', 2), spread('cccc', 3)]);
});

test('a log that began without entropy finds what it named then', () => {
  const place = { prefix: 'cp/job/', entropy: { at: 3, name: true, values: ['aaaa'] } };
  expect(dataKey(place, 'data/0000000001/a-1.seg')).toBe('cp/job/data/0000000001/a-1.seg');
});
