import { createMemoryStore } from '../../../src/store/memory/index.js';
import { storeConformance } from '../../../src/testing/storeConformance.js';

storeConformance('memory', () =>
  Promise.resolve({ store: createMemoryStore(), bucket: 'test', close: () => Promise.resolve() }),
);
storeConformance('memory as Ceph has it', () =>
  Promise.resolve({
    store: createMemoryStore({ completeSubset: false, minimumPartSize: 10 }),
    close: () => Promise.resolve(),
    supports: { completeSubset: false, minimumPartSize: 10 },
  }),
);

describe('memory', () => {
  it('answers before subscribe returns', () => {
    const store = createMemoryStore();
    const seen: unknown[] = [];
    store.put('a', Buffer.from('x')).subscribe(() => seen.push('put'));
    store.get('a').subscribe(({ chunks }) => seen.push(Buffer.concat(chunks).toString()));
    store.head('b').subscribe({ error: (error: unknown) => seen.push((error as Error).name) });
    expect(seen).toEqual(['put', 'x', 'StoreError']);
  });

  it('uses the time of its clock', () => {
    let now = 5;
    const store = createMemoryStore({ clock: { now: () => now } });
    store.put('a', Buffer.from('x')).subscribe();
    now = 9;
    const seen: number[] = [];
    store.head('a').subscribe(({ modified }) => seen.push(modified));
    expect(seen).toEqual([5]);
  });
});
