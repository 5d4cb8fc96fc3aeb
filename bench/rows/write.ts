import { CreateBucketCommand, DeleteBucketCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { s3Client } from '../baselines/s3Client.js';
import { Child } from '../harness/childProcess.js';
import { comparison, type Prepared, type Variant } from '../harness/comparison.js';
import type { Params } from '../harness/workload.js';
import { removeAll } from '../servers/bucket.js';

const url = (path: string): string => new URL(path, import.meta.url).href;
const MiB = 1 << 20;

/**
 * Lasting processes, with connections kept. On the real server in the environment, or else on the gateway over a
 * store that keeps only checksums, so that neither memory nor disk is measured.
 */
export const write = comparison({
  name: 'write',
  title: 'fileSink, 8 MiB parts, 4 in flight | lib-storage Upload of a stream | bare UploadPart pool',
  unit: 'bytes',
  processes: 'lasting',
  rounds: 2,
  warmups: 1,
  prepare: ({ quick }) =>
    process.env['MILLRACE_TEST_S3_ENDPOINT'] === undefined
      ? onGateway((quick ? 24 : 1024) * MiB)
      : onRealServer((quick ? 24 : 256) * MiB),
  goals: [
    { metric: 'vs.libStorage', goal: 1.3, is: 'at least' },
    { metric: 'vs.pool', goal: 0.95, is: 'at least' },
  ],
});

function variants(server: Params, size: number): Variant[] {
  const params = { ...server, size, partSize: 8 * MiB, inFlight: 4 };
  const baseline = (name: string, start: string): Variant => ({
    name,
    program: { module: url('../baselines/upload.js'), start },
    params: { ...params, prefix: `sink/${name}` },
  });
  return [
    {
      name: 'ours',
      program: { module: url('../variants/write.js'), start: 'writingFileSink' },
      params: { ...params, prefix: 'sink/ours' },
    },
    baseline('libStorage', 'libStorage'),
    baseline('pool', 'uploadPool'),
  ];
}

async function onGateway(size: number): Promise<Prepared> {
  const gateway = await Child.start(
    { module: url('../servers/gateway.js'), start: 'gateway' },
    { bucket: 'bench', sink: 'sink/' },
  );
  return {
    variants: variants({ ...gateway.info, bucket: 'bench' }, size),
    close: () => gateway.close(),
  };
}

/** Little is written at a time and removed immediately, as test servers hold everything in memory. */
async function onRealServer(size: number): Promise<Prepared> {
  const { env } = process;
  const server: Params = {
    endpoint: env['MILLRACE_TEST_S3_ENDPOINT'] ?? '',
    region: env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
    accessKeyId: env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
    secretAccessKey: env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
    bucket: `millrace-bench-${randomBytes(4).toString('hex')}`,
  };
  const client = s3Client(server);
  const Bucket = String(server['bucket']);
  await client.send(new CreateBucketCommand({ Bucket }));
  return {
    variants: variants(server, size),
    between: () => removeAll(client, Bucket),
    async close() {
      await removeAll(client, Bucket);
      await client.send(new DeleteBucketCommand({ Bucket }));
      client.destroy();
    },
  };
}
