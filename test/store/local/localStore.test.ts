import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { createLocalStore } from '../../../src/store/local/index.js';
import { storeConformance } from '../../../src/testing/storeConformance.js';

test('a read fills the memory passed to it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-local-'));
  const store = createLocalStore(directory, { durable: false });
  // Of more than one read.
  const body = Buffer.alloc((8 << 20) + 5, 'millrace');
  await lastValueFrom(store.put('a', body));
  const into = Buffer.alloc(body.length);
  const { chunks } = await lastValueFrom(store.get('a', { range: { start: 3 }, into }));
  const [chunk] = chunks;
  expect(chunks).toHaveLength(1);
  expect([chunk?.buffer, chunk?.byteOffset, chunk?.length]).toEqual([
    into.buffer,
    into.byteOffset,
    body.length - 3,
  ]);
  expect(body.subarray(3).equals(into.subarray(0, -3))).toBe(true);
  await rm(directory, { recursive: true });
});

storeConformance('local', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-local-'));
  return {
    store: createLocalStore(directory, { durable: false }), // fsync changes no answer
    missing: createLocalStore(join(directory, 'missing')),
    bucket: directory.slice(1),
    close: () => rm(directory, { recursive: true }),
  };
});
