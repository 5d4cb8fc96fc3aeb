/** Between a directory and S3 servers, over the wire: what is sent, kept and left. */
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom, NEVER, type Observable } from 'rxjs';
import { createOperations, type Operations } from '../../../src/fs/operations/index.js';
import {
  counting,
  createLocalStore,
  createMemoryStore,
  decorate,
  openStores,
  S3Connection,
  type StoreCall,
} from '../../../src/entries/stores.js';
import { startGateway } from '../../../src/testing/index.js';
import type { S3Options } from '../../../src/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import type { Stores } from '../../../src/store/services.js';
import { emptyCephBucket } from '../../store/realBucket.js';
import { credentials } from '../../store/s3support.js';
import { all, bytes, MiB, uploadsOf } from '../support.js';

interface Server {
  readonly s3: S3Options;
  readonly buckets: readonly [string, string];
  close(): Promise<void>;
}

async function gateway(): Promise<Server> {
  const server = await startGateway({
    buckets: { a: createMemoryStore(), b: createMemoryStore({ completeSubset: false }) },
    credentials,
  });
  return {
    s3: { endpoint: server.endpoint, credentials },
    buckets: ['a', 'b'],
    close: () => server.close(),
  };
}

const endpoint = process.env['MILLRACE_TEST_S3_ENDPOINT'];

async function ceph(): Promise<Server> {
  const s3 = {
    endpoint: endpoint ?? '',
    region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
    credentials: {
      accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
      secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
    },
  };
  const connection = new S3Connection(s3);
  const buckets = [`bulk-a-${crypto.randomUUID()}`, `bulk-b-${crypto.randomUUID()}`] as const;
  for (const name of buckets) await lastValueFrom(connection.createBucket(name), { defaultValue: undefined });
  return {
    s3,
    buckets,
    close: async () => {
      for (const name of buckets) await emptyCephBucket(connection, name);
      connection.close();
    },
  };
}

const servers: readonly (readonly [string, () => Promise<Server>])[] = [
  ['the gateway', gateway],
  ...(endpoint === undefined ? [] : [['a real server', ceph] as const]),
];

describe.each(servers)('%s', (_, start) => {
  let server: Server;
  let stores: ReturnType<typeof openStores>;
  let root: string;
  let uri: readonly [string, string];
  beforeAll(async () => {
    server = await start();
    stores = openStores({ s3: server.s3 });
    root = await mkdtemp(join(tmpdir(), 'millrace-bulk-'));
    uri = [`s3://${server.buckets[0]}`, `s3://${server.buckets[1]}`];
  });
  afterAll(async () => {
    stores.close();
    await server.close();
    await rm(root, { recursive: true });
  });

  /** Operations whose requests to S3 go through `around`. */
  function over(around: (store: ObjectStore) => ObjectStore): Operations {
    const wrapped = new Map<ObjectStore, ObjectStore>();
    const local = createLocalStore(root, { durable: false });
    const through: Stores = {
      open: (at) => {
        if (at.startsWith('file:'))
          return { ...stores.open('memory://none/'), store: local, key: at.slice('file:///root/'.length) };
        const location = stores.open(at);
        const store = wrapped.get(location.store) ?? around(location.store);
        wrapped.set(location.store, store);
        return { ...location, store };
      },
    };
    return createOperations({ stores: through });
  }

  test('a tree is uploaded, interrupted, resumed, and downloaded unchanged', async () => {
    const big = bytes(20 * MiB);
    await mkdir(join(root, 'up/s'), { recursive: true });
    await writeFile(join(root, 'up/big'), big);
    await writeFile(join(root, 'up/s/ä %+#?'), 'small');
    // Servers tell times by the second: what was written in that of its copy counts as newer.
    await utimes(join(root, 'up/s/ä %+#?'), 1e9, 1e9);
    await utimes(join(root, 'up/big'), 1e9, 1e9);
    const up = { from: 'file:///root/up/', to: `${uri[0]}/tree/` };

    let parts = 0;
    const broken = over((store) =>
      decorate(store, <T>(call: StoreCall, run: Observable<T>) =>
        call.method === 'uploadPart' && ++parts > 2 ? NEVER : run,
      ),
    );
    await new Promise<void>((resolve) => {
      const running = broken.bulkCopy(up, { concurrency: 2 }).subscribe(({ bytes: { done } }) => {
        if (done < 16 * MiB + 5) return;
        running.unsubscribe();
        resolve();
      });
    });
    await all(broken.close());

    const counts: ReturnType<typeof counting>[] = [];
    const counted = over((store) => {
      counts.push(counting(store));
      return counts.at(-1)!.store;
    });
    expect((await all(counted.bulkCopy(up))).at(-1)).toMatchObject({
      objects: { done: 2, total: 2 },
      skipped: { objects: 1, bytes: 16 * MiB + 5 },
    });
    expect(counts[0]!.counts().requests).toMatchObject({ uploadPart: 1, completeUpload: 1 });
    const { store } = stores.open(`${uri[0]}/`);
    expect(await uploadsOf(store)).toEqual([]);
    expect((await all(counted.walk(uri[0]))).map(({ name }) => name)).toEqual(['big', 'ä %+#?']);

    await all(counted.bulkCopy({ from: `${uri[0]}/tree/`, to: 'file:///root/down/' }));
    expect((await readFile(join(root, 'down/big'))).equals(big)).toBe(true);
    expect(await readFile(join(root, 'down/s/ä %+#?'), 'utf8')).toBe('small');
    expect((await readdir(join(root, 'down'))).filter((name) => name !== '.millrace').sort()).toEqual([
      'big',
      's',
    ]);

    const again = (await all(counted.bulkCopy(up))).at(-1);
    expect(again).toMatchObject({ skipped: { objects: 2 } });
  });

  test('buckets are copied and moved on their server, in parts too, with their metadata', async () => {
    const described = { metadata: { owner: 'me' }, content: { type: 'text/x', cacheControl: 'no-cache' } };
    const { store } = stores.open(`${uri[0]}/`);
    await lastValueFrom(store.put('src/x', bytes(9 * MiB), described));
    await lastValueFrom(store.put('src/y', Buffer.from('y'), described));
    const counts: ReturnType<typeof counting>[] = [];
    const { copy, move, stat, exists } = over((one) => {
      counts.push(counting(one));
      return counts.at(-1)!.store;
    });
    await all(copy(`${uri[0]}/src/x`, `${uri[1]}/parts`, { overwrite: false }));
    await all(move(`${uri[0]}/src/`, `${uri[1]}/dst/`));
    for (const at of ['parts', 'dst/x', 'dst/y'])
      expect(await lastValueFrom(stat(`${uri[1]}/${at}`))).toMatchObject(described);
    expect(await lastValueFrom(exists(`${uri[0]}/src/`))).toBe(false);
    const requests = counts.map((one) => one.counts().requests);
    expect(requests.reduce((sum, one) => sum + (one.get ?? 0) + (one.uploadPart ?? 0), 0)).toBe(0);
    expect(requests.reduce((sum, one) => sum + (one.copyPart ?? 0), 0)).toBe(1);
    const copied = stores.open(`${uri[1]}/`).store;
    const { chunks } = await lastValueFrom(copied.get('parts'));
    expect(Buffer.concat(chunks).equals(bytes(9 * MiB))).toBe(true);
  });
});
