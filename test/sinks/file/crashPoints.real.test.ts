import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { crashAt } from '../../../src/store/decorators/faults.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import type { FileManifest, LatestManifest } from '../../../src/sinks/file/fileManifest.js';
import { retrying } from '../../../src/store/decorators/retry.js';
import { startGateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { S3Connection } from '../../../src/store/s3/index.js';
import { parseUid } from '../../../src/path/uids.js';
import { InFlight } from '../../store/inFlight.js';
import { emptyCephBucket } from '../../store/realBucket.js';
import { Run, World } from '../harness.js';
import { effort } from '../../support/effort.js';

const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];
const credentials = {
  accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
  secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
};

const records = 90;
const line = (i: number): string => `${i} ${'0123456789'.repeat(7000)}`; // 70 kB: partition a has a full part

interface Target {
  readonly store: ObjectStore;
  readonly completeSubset: boolean;
  close(): Promise<void>;
}

async function gateway(): Promise<Target> {
  const keys = { accessKeyId: 'KEY', secretAccessKey: 'secret-of-the-test' };
  const server = await startGateway({ buckets: { lake: createMemoryStore() }, credentials: keys });
  const connection = new S3Connection({ endpoint: server.endpoint, credentials: keys });
  const close = async (): Promise<void> => {
    connection.close();
    await server.close();
  };
  return { store: connection.store('lake'), completeSubset: true, close };
}

async function ceph(): Promise<Target> {
  const bucket = `sinks-${randomBytes(6).toString('hex')}`;
  const client = new S3Client({
    endpoint: endpoint!,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  client.destroy();
  const connection = new S3Connection({ endpoint: endpoint!, region: 'us-east-1', credentials });
  const close = async (): Promise<void> => {
    await emptyCephBucket(connection, bucket);
    connection.close();
  };
  return { store: connection.store(bucket), completeSubset: false, close };
}

const targets: readonly (readonly [string, () => Promise<Target>])[] = [
  ['gateway', gateway],
  ...(endpoint === undefined ? [] : [['real server', ceph] as const]),
];

describe.each(targets)('crash points over HTTP: %s', (_, start) => {
  let target: Target;

  beforeAll(async () => {
    target = await start();
  });

  afterAll(async () => {
    await target.close();
  });

  async function attempt(world: World, at: number, when: 'before' | 'after'): Promise<number> {
    const quiet = new InFlight();
    const mortal = crashAt(quiet.wrap(retrying(world.store)), at, when);
    const run = new Run(world, {
      dead: () => mortal.dead,
      wrap: () => mortal.store,
      sink: { partSize: 5 * 2 ** 20, roll: { size: 6 * 2 ** 20 }, manifests: { latest: true } },
    });
    while (run.position < records && !mortal.dead) {
      run.line(run.position % 10 === 0 ? 'b' : 'a', line(run.position));
      if (run.position % 30 === 0) {
        run.barrier();
        await quiet.none();
      }
    }
    if (!mortal.dead) run.end();
    for (let i = 0; i < 20 && !mortal.dead; i++) {
      await quiet.none();
      if (world.manifest.position === records && world.manifest.pending.length === 0) break;
      run.settle();
    }
    if (!mortal.dead) run.sweep(run.epoch);
    await quiet.none();
    run.stop();
    expect(run.error).toBeUndefined();
    return mortal.calls;
  }

  async function published(store: ObjectStore, prefix: string): Promise<Record<string, string>> {
    const { objects } = await firstValueFrom(store.list({ prefix }));
    const files = objects
      .filter(({ key }) => !key.startsWith(`${prefix}_manifests/`))
      .map(({ key }) => ({ key, uid: parseUid(key)! }));
    files.sort((a, b) => a.uid.epoch - b.uid.epoch || a.uid.counter - b.uid.counter);
    const out: Record<string, string> = {};
    for (const { key } of files) {
      const partition = key.split('/').at(-2)!;
      const { chunks } = await lastValueFrom(store.get(key));
      out[partition] = (out[partition] ?? '') + Buffer.concat(chunks).toString();
    }
    return out;
  }

  /** Each file is in one manifest, and `latest.json` names the last one. */
  async function expectManifests(store: ObjectStore, prefix: string): Promise<void> {
    const { objects } = await firstValueFrom(store.list({ prefix }));
    const keys = objects.map(({ key }) => key);
    const inFolder = keys.filter((key) => key.startsWith(`${prefix}_manifests/`));
    const manifests = inFolder.slice(0, -1); // listed in order
    const json = async (key: string): Promise<unknown> => {
      const { chunks } = await lastValueFrom(store.get(key));
      return JSON.parse(Buffer.concat(chunks).toString());
    };
    const named: string[] = [];
    for (const key of manifests)
      named.push(
        ...((await json(key)) as FileManifest).files.map(({ uri }) => uri.slice(store.uri.length + 1)),
      );
    expect(named.sort()).toEqual(keys.filter((key) => !inFolder.includes(key)));
    const { manifest } = (await json(inFolder.at(-1)!)) as LatestManifest;
    expect(manifests.at(-1)).toMatch(new RegExp(`/${manifest}$`));
  }

  const every = Array.from({ length: records }, (_, i) => i);
  const text = (partition: (i: number) => boolean): string =>
    every
      .filter(partition)
      .map(
        (i) => `${line(i)}
`,
      )
      .join('');
  const expected = { a: text((i) => i % 10 !== 0), b: text((i) => i % 10 === 0) };

  test('exactly once, wherever it crashes', async () => {
    const step = effort(5, 1);
    let calls = Infinity;
    for (let at = 1; at <= calls; at += step) {
      const when = at % 2 === 0 ? 'before' : 'after';
      const folder = `t-${at}/`;
      const { store, completeSubset } = target;
      const world = new World({ completeSubset, store, folder });
      const made = await attempt(world, at, when);
      if (made < at) {
        calls = made;
        break;
      }
      await attempt(world, Infinity, 'before');
      const found = await published(store, `${folder}out/`);
      expect(Object.keys(found).sort()).toEqual(['a', 'b']);
      expect(found['a'] === expected.a && found['b'] === expected.b).toBe(true);
      await expectManifests(store, `${folder}out/`);
      const { uploads } = await lastValueFrom(store.listUploads({ prefix: folder }));
      expect(uploads).toEqual([]);
    }
    expect(calls).toBeGreaterThan(5);
  });
});
