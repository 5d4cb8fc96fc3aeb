/**
 * Where a job runs: a bucket on the library's gateway over a directory, or on a real S3 server, reached directly or by
 * way of a gateway, which sees requests, and lets them fail or wait.
 */
import { CreateBucketCommand, DeleteBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { concatMap, from, lastValueFrom } from 'rxjs';
import { createLocalStore, decorate, s3Store, type ObjectStore } from 'millrace/stores';
import { startGateway, type Faults, type GatewayEvent } from 'millrace/testing';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Target {
  readonly bucket: string;
  /** For the job's process. */
  readonly env: NodeJS.ProcessEnv;
  /** For the test, past the faults. */
  readonly s3: S3Client;
  /** Hooks of the gateway; a target that is reached directly has none. */
  readonly hooks: Hooks | undefined;
  close(): Promise<void>;
}

/** Callbacks of the gateway; may be set at any time. */
export interface Hooks {
  observe: (event: GatewayEvent) => void;
  faults: Faults;
  /** A promise holds the request until it resolves; its body has arrived. */
  hold: (method: 'put', key: string) => Promise<void> | undefined;
}

export type Kind = 'gateway' | 'real' | 'real behind a gateway';

const keys = { accessKeyId: 'PROCESSES', secretAccessKey: 'a-secret-of-the-processes' };
const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];
const region = process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1';
const realKeys = {
  accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
  secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
};

/** The kinds available here. */
export const kinds: readonly Kind[] =
  endpoint === undefined ? ['gateway'] : ['gateway', 'real', 'real behind a gateway'];

export async function openTarget(kind: Kind): Promise<Target> {
  if (kind === 'gateway') {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-processes-'));
    await mkdir(join(dir, 'lake'));
    return gateway('lake', createLocalStore(join(dir, 'lake')), async () => {
      await rm(dir, { recursive: true });
    });
  }
  const bucket = `processes-${randomBytes(6).toString('hex')}`;
  const s3 = client(endpoint ?? '', realKeys);
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const store = s3Store(bucket, { endpoint: endpoint ?? '', region, credentials: realKeys });
  const drop = async (): Promise<void> => {
    await empty(store);
    await s3.send(new DeleteBucketCommand({ Bucket: bucket }));
    s3.destroy();
    store.close();
  };
  if (kind === 'real') {
    return { bucket, env: env(endpoint ?? '', realKeys), s3, hooks: undefined, close: drop };
  }
  return gateway(bucket, store, drop);
}

async function gateway(bucket: string, store: ObjectStore, drop: () => Promise<void>): Promise<Target> {
  const hooks: Hooks = { observe: () => undefined, faults: () => undefined, hold: () => undefined };
  const server = await startGateway({
    buckets: { [bucket]: held(store, hooks) },
    credentials: keys,
    observe: (event) => {
      hooks.observe(event);
    },
    faults: (request) => hooks.faults(request),
  });
  // The test's own requests go through a gateway without faults.
  const own = await startGateway({ buckets: { [bucket]: store }, credentials: keys });
  const s3 = client(own.endpoint, keys);
  const close = async (): Promise<void> => {
    s3.destroy();
    await server.close();
    await own.close();
    await drop();
  };
  return { bucket, env: env(server.endpoint, keys), s3, hooks, close };
}

function held(store: ObjectStore, hooks: Hooks): ObjectStore {
  return decorate(store, (call, run) => {
    const until = call.method === 'put' ? hooks.hold('put', call.key) : undefined;
    return until === undefined ? run : from(until).pipe(concatMap(() => run));
  });
}

function client(endpoint: string, credentials: typeof keys): S3Client {
  return new S3Client({ endpoint, region, forcePathStyle: true, credentials });
}

function env(endpoint: string, { accessKeyId, secretAccessKey }: typeof keys): NodeJS.ProcessEnv {
  return {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  };
}

async function empty(store: ObjectStore): Promise<void> {
  for (;;) {
    const { uploads } = await lastValueFrom(store.listUploads({ prefix: '' }));
    if (uploads.length === 0) break;
    for (const { key, uploadId } of uploads)
      await lastValueFrom(store.abortUpload(key, uploadId), { defaultValue: undefined });
  }
  for (;;) {
    const { objects } = await lastValueFrom(store.list({}));
    if (objects.length === 0) break;
    await lastValueFrom(store.delete(objects.map(({ key }) => key)));
  }
}
