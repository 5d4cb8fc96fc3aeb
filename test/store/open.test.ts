import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { S3Options } from '../../src/config/s3Options.js';
import { startGateway, type Gateway } from '../../src/store/gateway/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { InvalidUri } from '../../src/path/index.js';
import { openStores, optionsOfBucket, type OpenedStores } from '../../src/store/open.js';
import { S3Connection } from '../../src/store/s3/index.js';
import { answer, credentials, failure } from './s3support.js';

const others = { accessKeyId: 'OTHERKEY', secretAccessKey: 'another-secret' };
const body = Buffer.from('x');

let gateways: Gateway[];
let opened: OpenedStores[];

beforeEach(async () => {
  opened = [];
  gateways = await Promise.all(
    [credentials, others].map((keys) =>
      startGateway({
        buckets: { lake: createMemoryStore(), pond: createMemoryStore(), 'eu.logs': createMemoryStore() },
        credentials: keys,
      }),
    ),
  );
});
afterEach(async () => {
  for (const stores of opened) stores.close();
  await Promise.all(gateways.map((gateway) => gateway.close()));
});

function open(s3: S3Options = {}): OpenedStores {
  const stores = openStores({
    s3: { endpoint: gateways[0]!.endpoint, credentials, region: 'us-east-1', ...s3 },
  });
  opened.push(stores);
  return stores;
}
const host = (i: number): string => `127.0.0.1:${gateways[i]!.port}`;

test('every scheme; the same location is the same store', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-open-'));
  try {
    const stores = open({ endpointProtocol: 'http' });
    const uris = [
      's3://lake/a',
      `s3x://OTHERKEY:another-secret@${host(1)}/lake/a`,
      'memory://open-test/a',
      `file://${directory}/a`,
    ];
    for (const uri of uris) {
      const { store, key } = stores.open(uri);
      await answer(store.put(key, body));
      expect((await answer(stores.open(uri).store.head(key))).size).toBe(1);
      expect(stores.open(uri).store).toBe(store);
      expect(stores.open(uri).reserved).toBe(stores.open(uri).reserved);
    }
    expect(stores.open('s3a://lake/a').store).toBe(stores.open('s3://lake/b').store);
    expect(() => stores.open('ftp://x/y')).toThrow(
      expect.objectContaining({ code: 'UnknownScheme' }) as Error,
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('memory is shared in a process: two registries see the same', async () => {
  await answer(open().open('memory://shared-open-test/').store.put('a', body));
  expect((await answer(open().open('memory://shared-open-test/').store.head('a'))).size).toBe(1);
});

test('directory buckets are refused, by their names and by their hosts', () => {
  const host = 'mine--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com';
  const refused: readonly (readonly [string, S3Options, string])[] = [
    ['s3://mine--usw2-az1--x-s3/a', {}, 'InvalidUri'],
    ['s3://point--usw2-az1--xa-s3/a', {}, 'InvalidUri'],
    ['s3x://host/mine--usw2-az1--x-s3/a', {}, 'InvalidUri'],
    [`s3x://${host}/lake/a`, {}, 'InvalidS3Options'],
    ['s3x://s3express-control.us-west-2.amazonaws.com/lake/a', {}, 'InvalidS3Options'],
    ['s3://lake/a', { endpoint: `https://${host}` }, 'InvalidS3Options'],
    ['s3://lake/a', { endpoint: 'https://mine--usw2-az1--x-s3.s3.example.com/path' }, 'InvalidS3Options'],
  ];
  for (const [uri, options, code] of refused)
    expect(() => open(options).open(uri)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining('irectory bucket') as string,
      }) as Error,
    );
  expect(() => open().open('s3x://s3expresso.example.com/lake/a')).not.toThrow();
  expect(() => new S3Connection({ region: 'us-west-2' }).store('mine--usw2-az1--x-s3')).toThrow(InvalidUri);
});

describe('buckets', () => {
  test('of one server and the same credentials share a connection, and can copy from each other', async () => {
    const stores = open();
    const [lake, pond] = [stores.open('s3://lake/'), stores.open('s3://pond/')];
    expect(lake.server).toBeDefined();
    expect(pond.server).toBe(lake.server);
    expect(pond.store).not.toBe(lake.store);
    await answer(pond.store.put('a', body));
    await answer(lake.store.copy('a', 'b', { bucket: pond.bucket }));
    expect((await answer(lake.store.head('b'))).size).toBe(1);
    expect(stores.open('memory://m/').server).toBeUndefined();
  });

  test('with credentials or an endpoint of their own have a connection of their own', async () => {
    const stores = open({ buckets: { pond: { endpoint: gateways[1]!.endpoint, credentials: others } } });
    const [lake, pond] = [stores.open('s3://lake/'), stores.open('s3://pond/')];
    expect(pond.server).not.toBe(lake.server);
    await answer(pond.store.put('a', body));
    expect((await answer(pond.store.head('a'))).size).toBe(1);
    await expect(answer(open().open('s3://pond/').store.head('a'))).rejects.toMatchObject({
      code: 'NotFound',
    });
  });

  test('are encrypted each in its own way over one connection', async () => {
    const asked: [string, unknown][] = [];
    const server = createServer(({ url = '', headers }, response) => {
      asked.push([url.split('?')[0] ?? '', headers['x-amz-server-side-encryption']]);
      response.writeHead(200, { etag: '"e"' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const stores = open({ endpoint, buckets: { pond: { sse: { type: 'sse-s3' } } } });
      const [lake, pond] = [stores.open('s3://lake/'), stores.open('s3://pond/')];
      expect(pond.server).toBe(lake.server);
      for (const store of [lake.store, pond.store, pond.reserved]) await answer(store.put('a', body));
      expect(asked).toEqual([
        ['/lake/a', undefined],
        ['/pond/a', 'AES256'],
        ['/pond/a', 'AES256'],
      ]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  test.each([
    ['logs', 'logs'],
    ['evil.logs', 'common'],
    ['archive', 'common'],
    ['de.archive', '*.archive'],
    ['eu.archive', 'eu.archive'],
    ['de.eu.archive', '*.eu.archive'],
    ['*.archive', '*.archive'],
    ['catalogs', 'common'],
    ['logs.eu', 'common'],
    ['__proto__', 'common'],
  ])('%s has the options of its own name, or of the longest matching ending: %s', (bucket, region) => {
    const options: S3Options = {
      region: 'common',
      maxSockets: 7,
      buckets: Object.fromEntries(
        ['logs', '*.archive', 'eu.archive', '*.eu.archive'].map((name) => [name, { region: name }]),
      ),
    };
    expect(optionsOfBucket(options, bucket)).toEqual({ region, maxSockets: 7 });
  });
});

describe('s3x', () => {
  test('goes to the server in the URI, with its credentials, which are shown nowhere', async () => {
    const stores = open({ endpointProtocol: 'http' });
    const place = stores.open(`s3x://OTHERKEY:another-secret@${host(1)}/lake/a`);
    expect(place.store.uri).toBe(`s3x://${host(1)}/lake`);
    await answer(place.store.put('a', body));
    expect(inspect([place, stores], { depth: 10, showHidden: true })).not.toContain('another-secret');
    expect(JSON.stringify(place)).not.toContain('another-secret');
    const denied = await failure(stores.open(`s3x://OTHERKEY:wrong@${host(1)}/lake/a`).store.head('a'));
    expect(inspect(denied, { depth: 10 })).not.toContain('wrong');
  });

  test('without credentials uses the chain, never those of another server', async () => {
    const before = { ...process.env };
    Object.assign(process.env, {
      AWS_ACCESS_KEY_ID: others.accessKeyId,
      AWS_SECRET_ACCESS_KEY: others.secretAccessKey,
    });
    try {
      const stores = open({ endpointProtocol: 'http' });
      const { store } = stores.open(`s3x://${host(1)}/lake/a`);
      await answer(store.put('a', body));
      const configured = stores.open(`s3x://${host(0)}/lake/a`);
      expect(await failure(configured.store.head('a'))).toMatchObject({ code: 'PermissionDenied' });
    } finally {
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
        if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = before[name];
      }
    }
  });

  test('of two users of one server are two stores; of one user, one connection', () => {
    const stores = open();
    const [a, b, c] = ['one', 'two', 'one'].map((user) =>
      stores.open(`s3x://${user}:secret@${host(0)}/lake/`),
    );
    expect(a!.store).not.toBe(b!.store);
    expect(a!.store).toBe(c!.store);
  });

  test('is https unless configured', async () => {
    const stores = open({ retry: { maxRetries: 0 } });
    const error = await failure(stores.open(`s3x://key:hidden@${host(0)}/lake/`).store.head('a'));
    expect(error).toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringContaining('does not speak TLS') as string,
    });
  });
});

test('close() closes all connections, also of buckets opened later', async () => {
  const stores = open();
  const { store, reserved } = stores.open('s3://lake/');
  await answer(store.put('a', body));
  stores.close();
  for (const one of [
    store,
    reserved,
    stores.open('s3://pond/').store,
    stores.open(`s3x://k:s@${host(1)}/lake/`).store,
  ]) {
    expect(await failure(one.head('a'))).toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringMatching(/closed/) as string,
    });
  }
});
