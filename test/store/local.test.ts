import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalStore } from '../../src/store/local/index.js';
import { storeConformance } from '../../src/testing/storeConformance.js';

storeConformance('local', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-local-'));
  return {
    store: createLocalStore(directory, { durable: false }), // fsync changes no answer
    missing: createLocalStore(join(directory, 'missing')),
    bucket: directory.slice(1),
    close: () => rm(directory, { recursive: true }),
  };
});
