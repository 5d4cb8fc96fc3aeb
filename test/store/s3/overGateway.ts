import { startGateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { S3Connection, type S3Options } from '../../../src/store/s3/index.js';
import type { ConformanceStore, TestRunner } from '../../../src/testing/storeConformance.js';
import { credentials, tagsFrom } from '../s3support.js';

/** Jest, for a store of which the tests with such titles would repeat what they show of another. */
export const without = (titles: RegExp): TestRunner => ({
  describe,
  beforeAll,
  afterAll,
  it: (title, ...test) => {
    if (!titles.test(title)) it(title, ...test);
  },
});

/** A bucket that the gateway has on `lake`. */
export async function overGateway(lake: ObjectStore, options: S3Options = {}): Promise<ConformanceStore> {
  const gateway = await startGateway({ buckets: { lake, other: createMemoryStore() }, credentials });
  const s3 = new S3Connection({ endpoint: gateway.endpoint, credentials, ...options });
  return {
    store: s3.store('lake'),
    missing: s3.store('no-such-bucket'),
    bucket: 'lake',
    other: { bucket: 'other', store: s3.store('other') },
    tagsOf: tagsFrom(gateway.endpoint, 'lake'),
    supports: { md5Etags: options.sse === undefined },
    close: async () => {
      s3.close();
      await gateway.close();
    },
  };
}

// Tests of listings and of keys send no body.
export const bodiless = /\bpages?\b|prefix|starts strictly|keys are opaque|Unicode keys/;
