import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { startGateway, type GatewayOptions } from '../../src/store/gateway/index.js';
import { openStores } from '../../src/store/open.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { S3Connection } from '../../src/store/s3/index.js';
import { emptyCephBucket } from '../store/realBucket.js';
import { credentials } from '../store/s3support.js';
import { lasting, type Given } from './support.js';

/** A location for commands: an empty bucket or directory of its own. */
export interface Place {
  /** Ends in a slash. */
  readonly uri: string;
  readonly store: ObjectStore;
  /** Of keys in the store that are below `uri`. */
  readonly prefix: string;
  readonly given: Given;
  close(): Promise<void>;
}

export async function memoryPlace(): Promise<Place> {
  const stores = lasting();
  const uri = 'memory://lake/';
  return Promise.resolve({
    uri,
    store: stores.open(uri).store,
    prefix: '',
    given: { stores },
    close: () => Promise.resolve(),
  });
}

export async function localPlace(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
  const { store, key } = openStores().open(`file://${directory}/`);
  return {
    uri: `file://${directory}/`,
    store,
    prefix: key,
    given: { cwd: directory },
    close: () => rm(directory, { recursive: true }),
  };
}

export async function gatewayPlace(lifecycle: GatewayOptions['lifecycle'] = {}): Promise<Place> {
  const store = createMemoryStore();
  const gateway = await startGateway({ buckets: { lake: store }, credentials, lifecycle });
  const env = {
    S3_ENDPOINT: gateway.endpoint,
    S3_ACCESS_KEY: credentials.accessKeyId,
    S3_SECRET_KEY: credentials.secretAccessKey,
  };
  return { uri: 's3://lake/', store, prefix: '', given: { env }, close: () => gateway.close() };
}

export const ceph = process.env['MILLRACE_TEST_S3_ENDPOINT'];

export async function cephPlace(): Promise<Place> {
  const bucket = `millrace-cli-${randomUUID().slice(0, 8)}`;
  const [endpoint = '', accessKeyId = '', secretAccessKey = ''] = [
    'ENDPOINT',
    'ACCESS_KEY',
    'SECRET_KEY',
  ].map((name) => process.env[`MILLRACE_TEST_S3_${name}`]);
  const keys = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: keys });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  const connection = new S3Connection({ endpoint, credentials: keys });
  const env = { S3_ENDPOINT: endpoint, S3_ACCESS_KEY: accessKeyId, S3_SECRET_KEY: secretAccessKey };
  return {
    uri: `s3://${bucket}/`,
    store: connection.store(bucket),
    prefix: '',
    given: { env },
    close: async () => {
      await emptyCephBucket(connection, bucket);
      connection.close();
    },
  };
}
