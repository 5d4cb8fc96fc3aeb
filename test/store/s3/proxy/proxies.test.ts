import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent as HttpAgent, createServer } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { firstValueFrom, forkJoin, Subject, takeUntil } from 'rxjs';
import { startGateway, type Faults, type Gateway } from '../../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../../src/store/objectStore.js';
import { openStores } from '../../../../src/store/open.js';
import { delegationTokens } from '../../../../src/store/s3/credentials/index.js';
import { S3Connection, type S3Options } from '../../../../src/store/s3/index.js';
import { authority, selfSigned } from '../../certificates.js';
import { startProxy, startTls, type ProxyServer, type ProxyServerOptions } from '../../proxies.js';
import { answer, credentials, failure } from '../../s3support.js';
import { emptyHome } from '../emptyHome.js';

const arn = 'arn:aws:iam::123456789012:role/lake';
const closing: (() => unknown)[] = [];
let gateway: Gateway;
let faults: Faults;
/** Trusts the certificate of `localhost`. */
let caBundle: string;
let tlsPort: number;
const home = emptyHome();

beforeEach(async () => {
  caBundle = join(home(), 'ca.pem');
  writeFileSync(caBundle, authority);
  faults = () => undefined;
  gateway = await startGateway({
    buckets: { lake: createMemoryStore() },
    credentials,
    sts: { roles: { [arn]: {} } },
    faults: (request) => faults(request),
  });
  const front = await startTls(gateway.port);
  tlsPort = front.port;
  closing.push(
    () => gateway.close(),
    () => front.close(),
  );
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const set = (variables: Record<string, string>): void => void Object.assign(process.env, variables);

async function proxyTo(to: number, options: Omit<ProxyServerOptions, 'to'> = {}): Promise<ProxyServer> {
  const proxy = await startProxy({ to, ...options });
  closing.push(() => proxy.close());
  return proxy;
}

/** A connection to a server that only a proxy can reach: nothing listens there, or the name does not exist. */
function connected(options: S3Options): S3Connection {
  const s3 = new S3Connection({
    endpoint: 'https://localhost',
    region: 'eu-west-1',
    credentials,
    caBundle,
    retry: { maxRetries: 0 },
    ...options,
  });
  closing.push(() => s3.close());
  return s3;
}

const body = Buffer.alloc(5 * 1024 * 1024, 'x');

describe('requests to an https server', () => {
  test('go through a tunnel that is kept, whatever they are', async () => {
    const proxy = await proxyTo(tlsPort);
    const store = connected({ proxy: `http://${proxy.host}` }).store('lake');
    await answer(store.put('a/ü', body));
    expect((await answer(store.get('a/ü'))).info.size).toBe(body.length);
    const { uploadId } = await answer(store.createUpload('b'));
    const part = await answer(store.uploadPart('b', uploadId, 1, body));
    await answer(store.completeUpload('b', uploadId, [part]));
    expect((await answer(store.list({}))).objects.map(({ key }) => key)).toEqual(['a/ü', 'b']);
    expect(proxy.passed).toMatchObject([
      { method: 'CONNECT', target: 'localhost:443', authorization: undefined },
    ]);
    // The proxy must not see the request, nor its credentials.
    expect(Object.keys(proxy.passed[0]!.headers).sort()).toEqual(['connection', 'host']);
  });

  test('send the proxy its user and password, decoded, and show them nowhere', async () => {
    const proxy = await proxyTo(tlsPort, { refuse: () => 503 });
    const s3 = connected({ proxy: `http://me%40home:p%3Aass%2Fword@${proxy.host}` });
    const error = await failure(s3.store('lake').head('a'));
    const [seen] = proxy.passed;
    expect(Buffer.from(seen!.authorization!.replace('Basic ', ''), 'base64').toString()).toBe(
      'me@home:p:ass/word',
    );
    for (const one of [s3, s3.store('lake'), error]) {
      const shown = `${inspect(one, { depth: Infinity, showHidden: true, getters: true })}${JSON.stringify(one)}`;
      for (const secret of ['ass/word', 'ass%2Fword', seen!.authorization!.slice(6)])
        expect(shown).not.toContain(secret);
    }
  });

  test('may use https to the proxy itself', async () => {
    const proxy = await proxyTo(tlsPort, { secure: true });
    await answer(
      connected({ proxy: `https://${proxy.host}` })
        .store('lake')
        .put('a', Buffer.from('x')),
    );
    expect(proxy.passed).toHaveLength(1);
    const trustless = connected({
      proxy: `https://${proxy.host}`,
      caBundle: writtenTo('other.pem', selfSigned),
    });
    expect(await failure(trustless.store('lake').head('a'))).toMatchObject({
      message: expect.stringMatching(/certificate/) as string,
    });
  });

  test('verify the intended server: its name, or its address', async () => {
    const proxy = await proxyTo(tlsPort);
    for (const endpoint of ['https://127.0.0.1', 'https://other.test']) {
      const s3 = connected({ endpoint, proxy: `http://${proxy.host}` });
      expect(await failure(s3.store('lake').head('a'))).toMatchObject({
        message: expect.stringMatching(/ERR_TLS_CERT_ALTNAME_INVALID/) as string,
      });
    }
    expect(proxy.passed.map(({ target }) => target)).toEqual(['127.0.0.1:443', 'other.test:443']);
  });

  test.each([
    [407, 'PermissionDenied', /407.*user and password in the proxy's URL/],
    [403, 'PermissionDenied', /403.*Allow the host at the proxy/],
    [502, 'Unavailable', /502.*check the endpoint and the proxy/],
  ])(
    'that the proxy refuses with %i are not mistaken for refusals of the server',
    async (status, code, message) => {
      const proxy = await proxyTo(tlsPort, { refuse: () => status });
      set({ HTTPS_PROXY: proxy.host });
      const error = await failure(connected({}).store('lake').head('a'));
      expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
      expect(error.message).toMatch(
        new RegExp(`The proxy http://${proxy.host} \\(HTTPS_PROXY\\).*localhost:443`),
      );
    },
  );

  test('name a proxy that cannot be resolved', async () => {
    const s3 = connected({ proxy: 'http://no-such-proxy.invalid:3128' });
    expect(await failure(s3.store('lake').head('a'))).toMatchObject({
      code: 'InvalidRequest',
      message: expect.stringMatching(/by the proxy http:\/\/no-such-proxy.*No such proxy is known/) as string,
    });
  });

  test('name a proxy that cannot be reached', async () => {
    const s3 = connected({ proxy: 'http://127.0.0.1:1' });
    expect(await failure(s3.store('lake').head('a'))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(
        /by the proxy http:\/\/127.0.0.1:1 \(proxy\): connect ECONNREFUSED/,
      ) as string,
    });
  });

  test.each([
    ['that never answers', { refuse: () => 'silence' as const }, undefined],
    ['to a server that never answers the handshake', {}, 'deaf'],
  ])('through a proxy %s end in time, and leave no connection', async (_, options, server) => {
    let to = tlsPort;
    if (server !== undefined) {
      const deaf = createTcpServer((socket) => socket.resume()).listen(0, '127.0.0.1');
      await once(deaf, 'listening');
      closing.push(() => deaf.close());
      to = (deaf.address() as AddressInfo).port;
    }
    const proxy = await proxyTo(to, options);
    const s3 = connected({ proxy: `http://${proxy.host}`, connectionTimeout: 100 });
    expect(await failure(s3.store('lake').head('a'))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/by the proxy.*no connection within 100 ms/) as string,
    });
    for (const socket of proxy.sockets) if (!socket.destroyed) await once(socket, 'close');
  });

  test.each(['unsubscribed', 'closed'])('are given up on the way when they are %s', async (how) => {
    const asked = new Subject<void>();
    const proxy = await proxyTo(tlsPort, {
      refuse: () => {
        asked.next();
        return 'silence';
      },
    });
    const stop = new Subject<void>();
    const s3 = connected({ proxy: `http://${proxy.host}` });
    const store = s3.store('lake');
    const over = answer(store.head('a').pipe(takeUntil(stop))).catch((error: unknown) => error);
    await firstValueFrom(asked);
    const [socket] = proxy.sockets;
    const gone = once(socket!, 'close');
    if (how === 'closed') s3.close();
    else stop.next();
    await over;
    await gone;
  });

  test('take no more connections than allowed, some of them reserved for manifests', async () => {
    faults = () => ({ delay: 50 });
    const proxy = await proxyTo(tlsPort);
    const s3 = connected({ proxy: `http://${proxy.host}`, maxSockets: 2, reservedSockets: 1 });
    const some = (store: ObjectStore) =>
      Array.from({ length: 6 }, (_, i) => store.put(`${i}`, Buffer.from('x')));
    await answer(forkJoin([...some(s3.store('lake')), ...some(s3.reserved('lake'))]));
    expect(proxy.passed).toHaveLength(3);
  });
});

describe('requests to an http server', () => {
  const endpoint = 'http://s3.test';

  test('are sent to the proxy with their whole URL, as signed', async () => {
    const proxy = await proxyTo(gateway.port);
    const store = connected({ endpoint, proxy: `http://me:secret@${proxy.host}` }).store('lake');
    const keys = ['a', 'x/../y', '/b//c', 'ü %2F?#'];
    for (const key of keys) await answer(store.put(key, Buffer.from('x')));
    expect((await answer(store.list({}))).objects.map(({ key }) => key).sort()).toEqual([...keys].sort());
    expect(proxy.passed[1]).toMatchObject({
      method: 'PUT',
      target: 'http://s3.test/lake/x/../y?x-id=PutObject',
    });
    expect(proxy.passed[0]!.authorization).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`);
    expect(proxy.sockets.size).toBe(1);
  });

  test('that break off ask only the proxy for the reason', async () => {
    const direct: unknown[] = [];
    const server = createTcpServer((socket) => {
      direct.push(socket);
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => server.close());
    faults = () => ({ failure: { kind: 'reset' } });
    const proxy = await proxyTo(gateway.port);
    const { port } = server.address() as AddressInfo;
    const s3 = connected({ endpoint: `http://127.0.0.1:${port}`, proxy: proxy.host });
    expect(await failure(s3.store('lake').head('a'))).toMatchObject({ code: 'Unavailable' });
    expect(direct).toEqual([]);
  });

  test('that need a password for the proxy say so', async () => {
    const proxy = await proxyTo(gateway.port, { refuse: () => 407 });
    const s3 = connected({ endpoint: `${endpoint}:9000`, proxy: proxy.host });
    expect(await failure(s3.store('lake').get('a'))).toMatchObject({
      code: 'PermissionDenied',
      message: expect.stringMatching(/does not let a request to s3.test:9000 through: 407/) as string,
    });
  });

  test('name a proxy that cannot be reached', async () => {
    const s3 = connected({ endpoint, proxy: 'http://127.0.0.1:1' });
    expect(await failure(s3.store('lake').head('a'))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/by the proxy http:\/\/127.0.0.1:1/) as string,
    });
  });
});

describe('the proxy', () => {
  /** Which of two proxies is used for a scheme; both lead to the server, which is there without one, too. */
  async function used(
    variables: Record<string, string>,
    options: S3Options = {},
    secure = false,
  ): Promise<string> {
    set(variables);
    const server = secure ? `https://localhost:${tlsPort}` : `http://localhost:${gateway.port}`;
    const before = [one, another].map(({ passed }) => passed.length);
    await answer(
      connected({ endpoint: server, ...options })
        .store('lake')
        .list({}),
    );
    for (const name of Object.keys(variables)) Reflect.deleteProperty(process.env, name);
    const names = [one, another].flatMap(({ passed }, i) =>
      passed.length > before[i]! ? [['one', 'another'][i]] : [],
    );
    return names.join() || 'none';
  }
  let one: ProxyServer;
  let another: ProxyServer;

  test('is that of the scheme in the environment, in lower case before upper', async () => {
    [one, another] = [await proxyTo(gateway.port), await proxyTo(gateway.port)];
    expect(await used({})).toBe('none');
    expect(await used({ HTTP_PROXY: `http://${one.host}` })).toBe('one');
    expect(await used({ http_proxy: one.host })).toBe('one');
    expect(await used({ http_proxy: one.host, HTTP_PROXY: another.host })).toBe('one');
    expect(await used({ http_proxy: '', HTTP_PROXY: another.host })).toBe('another');
    expect(await used({ HTTPS_PROXY: one.host, https_proxy: another.host })).toBe('none');
    expect(await used({ HTTP_PROXY: one.host, REQUEST_METHOD: 'GET' })).toBe('none');
    expect(await used({ http_proxy: one.host, REQUEST_METHOD: 'GET' })).toBe('one');

    [one, another] = [await proxyTo(tlsPort), await proxyTo(tlsPort)];
    expect(await used({ HTTPS_PROXY: one.host }, {}, true)).toBe('one');
    expect(await used({ https_proxy: another.host, HTTPS_PROXY: one.host }, {}, true)).toBe('another');
    expect(await used({ HTTP_PROXY: one.host }, {}, true)).toBe('none');
  });

  test('is not used for hosts in NO_PROXY, with loopback like any other host', async () => {
    [one, another] = [await proxyTo(gateway.port), await proxyTo(gateway.port)];
    const all = { HTTP_PROXY: one.host };
    for (const list of ['localhost', '*', `x.test, localhost:${gateway.port}`])
      expect(await used({ ...all, NO_PROXY: list })).toBe('none');
    expect(await used({ ...all, no_proxy: 'localhost', NO_PROXY: 'x.test' })).toBe('none');
    for (const list of ['127.0.0.1', 'localhost:1', '', 'host'])
      expect(await used({ ...all, NO_PROXY: list })).toBe('one');
  });

  test('of the options takes precedence, for both schemes, and so do its exemptions; none means none', async () => {
    [one, another] = [await proxyTo(gateway.port), await proxyTo(gateway.port)];
    const all = { HTTP_PROXY: one.host };
    expect(await used(all, { proxy: another.host })).toBe('another');
    expect(await used(all, { proxy: 'none' })).toBe('none');
    expect(await used({ NO_PROXY: 'localhost' }, { proxy: another.host })).toBe('none');
    expect(await used({ NO_PROXY: 'localhost' }, { proxy: another.host, noProxy: '' })).toBe('another');
    expect(await used(all, { noProxy: 'localhost' })).toBe('none');
  });

  test('may differ from bucket to bucket', async () => {
    one = await proxyTo(gateway.port);
    using stores = openStores({
      s3: {
        endpoint: gateway.endpoint,
        credentials,
        proxy: one.host,
        buckets: { lake: { proxy: 'none' } },
        retry: { maxRetries: 0 },
      },
    });
    await answer(stores.open('s3://lake/').store.list({}));
    expect(one.passed).toEqual([]);
    await failure(stores.open('s3://other/').store.list({}));
    expect(one.passed).toHaveLength(1);
  });

  test('that is not HTTP is an error that names its origin, not its value', async () => {
    for (const proxy of ['socks5://me:hunter2@x.test', 'http://', 'http://me:hunter2@'])
      for (const options of [{ proxy }, {}]) {
        set(options.proxy === undefined ? { HTTPS_PROXY: proxy } : {});
        const error = await failure(connected(options).store('lake').head('a'));
        expect(error).toMatchObject({
          code: 'InvalidS3Options',
          message: expect.stringMatching(
            options.proxy === undefined ? /HTTPS_PROXY must be the URL/ : /proxy must be the URL/,
          ) as string,
        });
        expect(error.message).not.toContain('hunter2');
        Reflect.deleteProperty(process.env, 'HTTPS_PROXY');
      }
  });
});

describe('requests for credentials', () => {
  test('go through the proxy: those of roles, of profiles and for tokens', async () => {
    const proxy = await proxyTo(tlsPort);
    set({ HTTPS_PROXY: `http://${proxy.host}` });
    const throughIt = async (work: () => Promise<unknown>, connections: number): Promise<void> => {
      const before = proxy.passed.length;
      await work();
      expect(proxy.passed.length - before).toBe(connections);
    };
    const list = (options: S3Options) => () => answer(connected(options).store('lake').list({}));
    await throughIt(list({ assumeRole: { arn } }), 2);
    const keys = `aws_access_key_id = ${credentials.accessKeyId}\naws_secret_access_key = ${credentials.secretAccessKey}`;
    const config = join(home(), 'config');
    writeFileSync(
      config,
      `[profile lake]\nrole_arn = ${arn}\nsource_profile = base\n[profile base]\n${keys}\n`,
    );
    set({ AWS_CONFIG_FILE: config, AWS_ENDPOINT_URL_STS: 'https://localhost' });
    await throughIt(list({ credentials: { provider: 'PROFILE', profile: 'lake' } }), 2);
    const s3 = { endpoint: 'https://localhost', region: 'eu-west-1', credentials, caBundle };
    await throughIt(() => firstValueFrom(delegationTokens({ s3 })), 1);
    await throughIt(() => firstValueFrom(delegationTokens({ s3: { ...s3, proxy: proxy.host } })), 1);
  });

  test('do not, if they are for the metadata of the instance', async () => {
    const seen: string[] = [];
    const metadata = createServer((request, response) => {
      seen.push(request.url ?? '');
      const role = {
        AccessKeyId: credentials.accessKeyId,
        SecretAccessKey: credentials.secretAccessKey,
        Token: '',
        Expiration: new Date(Date.now() + 3_600_000).toISOString(),
      };
      const path = request.url ?? '';
      if (path.endsWith('/token')) response.end('a-token');
      else if (path.endsWith('/region')) response.end('eu-west-3');
      else
        response.end(
          path.endsWith('/security-credentials/') ? 'role' : JSON.stringify({ ...role, Token: 't' }),
        );
    }).listen(0, '127.0.0.1');
    await once(metadata, 'listening');
    closing.push(() => {
      metadata.close();
      metadata.closeAllConnections();
    });
    const proxy = await proxyTo(tlsPort, { refuse: () => 503 });
    const { port } = metadata.address() as AddressInfo;
    set({
      HTTP_PROXY: `http://${proxy.host}`,
      HTTPS_PROXY: `http://${proxy.host}`,
      AWS_EC2_METADATA_DISABLED: 'false',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
    });
    const aws = new S3Connection({ retry: { maxRetries: 0 } });
    closing.push(() => aws.close());
    expect(await failure(aws.store('lake').head('a'))).toMatchObject({ code: 'Unavailable' });
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(proxy.passed.map(({ target }) => target)).toEqual(['lake.s3.eu-west-3.amazonaws.com:443']);
  });
});

describe('a custom agent', () => {
  test('makes the connections, in place of any proxy, and is not closed', async () => {
    let made = 0;
    class Counting extends HttpAgent {
      override createConnection(...given: unknown[]) {
        made++;
        return super.createConnection(...(given as [never]));
      }
    }
    const http = new Counting({ keepAlive: true });
    const https = new HttpsAgent({ ca: authority, keepAlive: true });
    closing.push(
      () => http.destroy(),
      () => https.destroy(),
    );
    const s3 = connected({ endpoint: gateway.endpoint, agent: http, proxy: 'http://127.0.0.1:1' });
    await answer(s3.store('lake').list({}));
    await answer(s3.reserved('lake').list({}));
    expect(made).toBe(1);
    s3.close();
    expect(Object.values(http.freeSockets).flat()).toHaveLength(1);
    const both = { http, https };
    await answer(connected({ endpoint: gateway.endpoint, agent: both }).store('lake').list({}));
    expect(made).toBe(1);
    const secure = connected({
      endpoint: `https://localhost:${tlsPort}`,
      agent: both,
      caBundle: '/nonexistent',
    });
    await answer(secure.store('lake').list({}));
  });

  test('that never gets a connection is waited for no longer than a built-in one', async () => {
    class Never extends HttpAgent {
      override createConnection(): never {
        return undefined as never;
      }
    }
    const s3 = connected({ endpoint: gateway.endpoint, agent: new Never(), connectionTimeout: 50 });
    expect(await failure(s3.store('lake').head('a'))).toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/did not connect within 50 ms/) as string,
    });
  });

  test('with fewer sockets than maxSockets is refused: manifests would wait for uploads', () => {
    const agent = new HttpAgent({ maxSockets: 53 });
    expect(() => connected({ agent })).toThrow(/InvalidS3Options|agent has 53 sockets.*54 requests/);
    const https = new HttpsAgent({ maxSockets: 53 });
    expect(() => connected({ agent: { https } })).toThrow(/agent has 53/);
    connected({ agent, maxSockets: 49 });
  });
});

function writtenTo(name: string, text: string): string {
  const file = join(home(), name);
  writeFileSync(file, text);
  return file;
}
