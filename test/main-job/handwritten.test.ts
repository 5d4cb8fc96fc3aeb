import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { run } from '../../bench/baselines/handwritten.js';
import { dataset } from '../../examples/main-job/dataset.js';
import { upload } from '../../examples/main-job/place.js';
import { Audit } from '../../examples/main-job/verify/audit.js';
import { list, read } from '../../examples/main-job/verify/objects.js';
import { truthOf } from '../../examples/main-job/verify/truth.js';
import { createMemoryStore } from '../../src/entries/stores.js';
import { startGateway } from '../../src/testing/index.js';

const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };

describe('the hand-written program', () => {
  it('produces the same counts as the main job, so that their speed can be compared', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-handwritten-'));
    const gateway = await startGateway({ buckets: { lake: createMemoryStore() }, credentials });
    const { endpoint } = gateway;
    const s3 = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
    try {
      const set = await dataset(dir, { events: 12_000, seed: 3 });
      const layout = { bucket: 'lake', input: 'raw/', output: 'out/', checkpoints: '' };
      await upload(s3, layout, set, () => undefined);
      const { events, clicks } = await run({
        endpoint,
        bucket: 'lake',
        prefix: 'raw/',
        out: 'out/',
        credentials,
      });

      const truth = await truthOf(set.files.map(({ name }) => join(set.dir, name)));
      expect({ events, clicks }).toEqual({ events: 12_000, clicks: truth.clicks });
      const audit = new Audit(truth);
      const place = { endpoint, region: 'us-east-1', bucket: 'lake', prefix: 'out/' };
      for await (const object of list(s3, place)) await read(s3, place, object, audit.object(object.key));
      expect(audit.verdict()).toEqual({
        records: clicks,
        lost: 0,
        duplicated: 0,
        misplaced: 0,
        findings: [],
      });
    } finally {
      s3.destroy();
      await gateway.close();
      await rm(dir, { recursive: true });
    }
  });
});
