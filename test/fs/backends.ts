import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { startGateway } from '../../src/store/gateway/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { openStores } from '../../src/store/open.js';
import { createStores } from '../../src/store/registry.js';
import { S3Connection } from '../../src/store/s3/index.js';
import type { Stores } from '../../src/store/services.js';
import { emptyCephBucket } from '../store/realBucket.js';
import { credentials } from '../store/s3support.js';

/** A location to write to, on some store. */
export interface Backend {
  readonly stores: Stores;
  /** A URI that ends in a slash; nothing is in it. */
  readonly base: string;
  readonly store: ObjectStore;
  close(): Promise<void>;
}

const ceph = process.env['MILLRACE_TEST_S3_ENDPOINT'];

/** Every store that `millrace/fs` runs on; Ceph where its variables are set. */
export const backends: readonly (readonly [string, () => Promise<Backend>])[] = [
  ['memory', onMemory],
  ['local', onDirectory],
  ['gateway', onGateway],
  ...(ceph === undefined ? [] : [['Ceph', () => onCeph(ceph)] as const]),
];

export function onMemory(): Promise<Backend> {
  const stores = createStores();
  const base = 'memory://lake/';
  return Promise.resolve({ stores, base, store: stores.open(base).store, close: () => Promise.resolve() });
}

async function onDirectory(): Promise<Backend> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-fs-'));
  const stores = openStores();
  const base = `file://${directory}/`;
  return {
    stores,
    base,
    store: stores.open(base).store,
    close: async () => {
      stores.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function onGateway(): Promise<Backend> {
  const gateway = await startGateway({ buckets: { lake: createMemoryStore() }, credentials });
  const stores = openStores({ s3: { endpoint: gateway.endpoint, credentials } });
  return {
    stores,
    base: 's3://lake/',
    store: stores.open('s3://lake/').store,
    close: async () => {
      stores.close();
      await gateway.close();
    },
  };
}

async function onCeph(endpoint: string): Promise<Backend> {
  const keys = {
    accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
    secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
  };
  const bucket = `fs-${randomBytes(6).toString('hex')}`;
  const s3 = new S3Connection({ endpoint, credentials: keys });
  await lastValueFrom(s3.createBucket(bucket), { defaultValue: undefined });
  const stores = openStores({ s3: { endpoint, credentials: keys } });
  const base = `s3://${bucket}/`;
  return {
    stores,
    base,
    store: stores.open(base).store,
    close: async () => {
      stores.close();
      await emptyCephBucket(s3, bucket);
      s3.close();
    },
  };
}
