import { throwError } from 'rxjs';
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
  orphans(store, 'cp/job/', 3).subscribe((each) => found.push(each));
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
  orphans(store, 'cp/job/', 3).subscribe({
    next: (each) => heard.push(each),
    error: (error: unknown) => heard.push((error as StoreError).code),
  });
  expect(heard).toEqual([['data/0000000002/b-1.journal'], 'PermissionDenied']);
});
