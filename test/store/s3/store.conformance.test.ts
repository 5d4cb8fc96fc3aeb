import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { startGateway } from '../../../src/store/gateway/index.js';
import { createLocalStore } from '../../../src/store/local/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import {
  storeConformance,
  type ConformanceStore,
  type TestRunner,
} from '../../../src/testing/storeConformance.js';
import { emptyCephBucket } from '../realBucket.js';
import { credentials } from '../s3support.js';

const ceph = process.env['MILLRACE_TEST_S3_ENDPOINT'];

/** Jest, for a store of which the tests with such titles would repeat what they show of another. */
const without = (titles: RegExp): TestRunner => ({
  describe,
  beforeAll,
  afterAll,
  it: (title, ...test) => {
    if (!titles.test(title)) it(title, ...test);
  },
});

/** A bucket that the gateway has on `lake`. */
async function overGateway(lake: ObjectStore, options: S3Options = {}): Promise<ConformanceStore> {
  const gateway = await startGateway({ buckets: { lake, other: createMemoryStore() }, credentials });
  const s3 = new S3Connection({ endpoint: gateway.endpoint, credentials, ...options });
  return {
    store: s3.store('lake'),
    missing: s3.store('no-such-bucket'),
    bucket: 'lake',
    other: { bucket: 'other', store: s3.store('other') },
    supports: { md5Etags: options.sse === undefined },
    close: async () => {
      s3.close();
      await gateway.close();
    },
  };
}

storeConformance('s3 through the gateway on memory', () => overGateway(createMemoryStore()));

// The gateway makes pages of a thousand whatever is underneath; fsync changes no answer.
storeConformance(
  's3 through the gateway on a directory',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-s3-'));
    const subject = await overGateway(createLocalStore(directory, { durable: false }));
    return {
      ...subject,
      close: async () => {
        await subject.close();
        await rm(directory, { recursive: true });
      },
    };
  },
  without(/^more than a page/),
);

const wires: readonly [string, S3Options][] = [
  ['CRC32 and unsigned bodies', { checksum: 'crc32', payloadSigning: 'unsigned' }],
  ['CRC32C behind signed chunks', { checksum: 'crc32c', chunkedEncoding: true }],
  [
    'SSE-KMS, a storage class, CRC64NVME behind unsigned chunks, and validation',
    {
      sse: { type: 'sse-kms', kms: { keyId: 'alias/lake' } },
      storageClass: 'STANDARD_IA',
      checksum: 'crc64nvme',
      chunkedEncoding: true,
      payloadSigning: 'unsigned',
      checksumValidation: true,
    },
  ],
];
// Tests of listings and of keys send no body.
const bodiless = /\bpages?\b|prefix|starts strictly|keys are opaque|Unicode keys/;
for (const [name, options] of wires) {
  storeConformance(
    `s3 with ${name}, through the gateway on memory`,
    () => overGateway(createMemoryStore(), options),
    without(bodiless),
  );
}

if (ceph !== undefined) {
  storeConformance('s3 on a real server', async () => {
    const s3 = new S3Connection({
      endpoint: ceph,
      region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
      credentials: {
        accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
        secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
      },
    });
    const bucket = `conformance-${crypto.randomUUID()}`;
    await lastValueFrom(s3.createBucket(bucket), { defaultValue: undefined });
    await lastValueFrom(s3.createBucket(`${bucket}-other`), { defaultValue: undefined });
    return {
      store: s3.store(bucket),
      missing: s3.store(`${bucket}-missing`),
      bucket,
      other: { bucket: `${bucket}-other`, store: s3.store(`${bucket}-other`) },
      // Of the control characters only NUL is refused (400).
      supports: { completeSubset: false, concurrentComplete: false, controlCharacters: false },
      close: async () => {
        await emptyCephBucket(s3, bucket);
        await emptyCephBucket(s3, `${bucket}-other`);
        s3.close();
      },
    };
  });
} else {
  it.todo('s3 on a real server: set MILLRACE_TEST_S3_ENDPOINT');
}
