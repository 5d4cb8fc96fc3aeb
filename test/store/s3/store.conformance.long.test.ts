import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalStore } from '../../../src/store/local/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { S3Options } from '../../../src/store/s3/index.js';
import { storeConformance } from '../../../src/testing/storeConformance.js';
import { bodiless, overGateway, without } from './overGateway.js';

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
];
for (const [name, options] of wires) {
  storeConformance(
    `s3 with ${name}, through the gateway on memory`,
    () => overGateway(createMemoryStore(), options),
    without(bodiless),
  );
}
