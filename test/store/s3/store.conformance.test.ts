import { lastValueFrom } from 'rxjs';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { S3Connection } from '../../../src/store/s3/index.js';
import { storeConformance } from '../../../src/testing/storeConformance.js';
import { emptyCephBucket } from '../realBucket.js';
import { tagsFrom } from '../s3support.js';
import { bodiless, overGateway, without } from './overGateway.js';

const ceph = process.env['MILLRACE_TEST_S3_ENDPOINT'];

storeConformance('s3 through the gateway on memory', () => overGateway(createMemoryStore()));

// The wire that differs most. Others, and a directory, are in `store.conformance.long.test.ts`.
storeConformance(
  's3 with SSE-KMS, a storage class, CRC64NVME behind unsigned chunks, and validation, through the gateway on memory',
  () =>
    overGateway(createMemoryStore(), {
      sse: { type: 'sse-kms', kms: { keyId: 'alias/lake' } },
      storageClass: 'STANDARD_IA',
      checksum: 'crc64nvme',
      chunkedEncoding: true,
      payloadSigning: 'unsigned',
      checksumValidation: true,
    }),
  without(bodiless),
);

if (ceph !== undefined) {
  storeConformance('s3 on a real server', async () => {
    const keys = {
      accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
      secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
    };
    const s3 = new S3Connection({
      endpoint: ceph,
      region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
      credentials: keys,
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
      supports: {
        completeSubset: false,
        concurrentComplete: false,
        controlCharacters: false,
        storageClass: false,
      },
      tagsOf: tagsFrom(ceph, bucket, keys),
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
