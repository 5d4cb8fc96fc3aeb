import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { throwError } from 'rxjs';
import { decorate } from '../../src/store/decorators/decorate.js';
import { StoreError } from '../../src/store/errors.js';
import { startGateway, type Gateway } from '../../src/store/gateway/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { OpenedStores } from '../../src/store/open.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { credentials } from '../store/s3support.js';
import { anyText, cli, contents, lasting, put, records } from './support.js';

const secret = 'sEcReT/key+with=signs';

describe('errors', () => {
  test.each([
    [['frobnicate'], /^millrace: Usage: Unknown command 'frobnicate'\. See millrace --help\.\n$/],
    [['lss'], /Did you mean ls\?/],
    [['ls', '--frob'], /^millrace: Usage: Unknown option '--frob'/],
    [['cat'], /^millrace: Usage: Missing required argument 'place'/],
    [['ls', 'ftp://host/x'], /^millrace: UnknownScheme: /],
    [
      ['ls', 's3:/b/x'],
      /^millrace: Usage: A URI has two slashes after its scheme: s3:\/\/b\/x\. A local path/,
    ],
    [
      ['cp', '.', 's3:b/x'],
      /^millrace: Usage: A URI has two slashes after its scheme: s3:\/\/b\/x\. A local path/,
    ],
    [['ls', 's3:///x'], /^millrace: InvalidUri: /],
    [['ls', 's3://b/[a'], /^millrace: InvalidGlob: /],
    [['du', '-d', 'x', '.'], /^millrace: Usage: .*whole number/],
    [['ls', '--set', 'nonsense'], /^millrace: Usage: --set takes key=value/],
    [['ls', '--set', 's3.regoin=x'], /^millrace: InvalidConfig: s3\.regoin .*Did you mean s3\.region\?\n$/],
    [
      ['ls', '--set', 's3.region=a', '--set', 's3.region=b'],
      /^millrace: Usage: --set s3.region is given twice/,
    ],
    [['ls', '--config', '/nowhere/at/all.yaml'], /^millrace: InvalidConfig: .*\/nowhere\/at\/all\.yaml/],
    [['stat', 'memory://x/*', 'memory://x/%zz'], /^millrace: InvalidUri: /],
    [['probe', 'memory://x/*'], /^millrace: Usage: .*wildcards/],
    [['cp', 'memory://x/a', 'memory://x/*'], /^millrace: Usage: .*wildcards/],
    [['ls', '--set', 'foo=secret'], /^millrace: Usage: --set takes key=value with a configuration key/],
    [['uploads', 'abort', 'memory://x', '--older-than', '7'], /must be a number with its unit: 30m, 12h, 7d/],
    [['uploads', 'abort', 'memory://x', '--older-than', 'long'], /^millrace: InvalidOption: --older-than/],
  ])('%j is a usage error: exit code 2 and one line', async (argv, message) => {
    const { code, out, err } = await cli(argv, { stores: lasting() });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
    const inJson = await cli([...argv, '--json'], { stores: lasting() });
    expect(inJson.code).toBe(2);
    expect(records(inJson.err)).toEqual([
      expect.objectContaining({
        type: 'error',
        code: anyText,
        message: anyText,
        exitCode: 2,
      }),
    ]);
  });

  test('a directory is reported as one with and without its slash', async () => {
    const stores = lasting();
    await put(stores.open('memory://x/').store, { 'd/a': 'a' });
    for (const place of ['memory://x/d', 'memory://x/d/']) {
      const { code, err } = await cli(['rm', place], { stores });
      expect({ code, err }).toEqual({
        code: 2,
        err: `millrace: Usage: ${place} is a directory. Add --recursive to remove everything in it.\n`,
      });
    }
  });

  test('a stack is printed only with --debug', async () => {
    const stores = lasting();
    const plain = await cli(['cat', 'memory://x/a'], { stores });
    expect(plain.err).not.toMatch(/\n\s+at /);
    const debug = await cli(['cat', '--debug', 'memory://x/a'], { stores });
    expect(debug.err).toMatch(/\n\s+at /);
    expect(debug.code).toBe(3);
  });

  test('several failures: each is reported, and --json contains all of them', async () => {
    const stores = lasting();
    const { store } = stores.open('memory://lake/');
    await put(store, { a: 'a', b: 'b', 'to/a': 'other', 'to/b': 'and another' });
    const refuse: ObjectStore['put'] = () => throwError(() => new StoreError('PermissionDenied', 'no.'));
    const failing: OpenedStores = {
      ...stores,
      open: (uri) => {
        const location = stores.open(uri);
        const refusing = new Proxy(location.store, {
          get: (target, name) => {
            const own: unknown = Reflect.get(target, name, target);
            return name === 'put' ? refuse : typeof own === 'function' ? (own.bind(target) as unknown) : own;
          },
        });
        return { ...location, store: refusing };
      },
    };
    const { code, err } = await cli(['cp', 'memory://lake/a', 'memory://lake/b', 'memory://other/'], {
      stores: failing,
    });
    expect(code).toBe(1);
    expect(err).toMatch(/^millrace: memory:\/\/lake\/a: PermissionDenied: no\.$/m);
    expect(err).toMatch(/^millrace: memory:\/\/lake\/b: PermissionDenied: no\.$/m);
    expect(err).toMatch(/^millrace: CopyFailed: 2 failed; all else is done\./m);
    const inJson = await cli(['cp', '--json', 'memory://lake/a', 'memory://lake/b', 'memory://other/'], {
      stores: failing,
    });
    expect(records(inJson.err).map(({ type, code: each }) => [type, each])).toEqual([
      ['failure', 'PermissionDenied'],
      ['failure', 'PermissionDenied'],
      ['error', 'CopyFailed'],
    ]);
  });
});

describe('secrets', () => {
  let gateway: Gateway;
  let directory: string;
  beforeAll(async () => {
    gateway = await startGateway({ buckets: { lake: createMemoryStore() }, credentials });
    directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
  });
  afterAll(async () => {
    await gateway.close();
    await rm(directory, { recursive: true });
  });

  test.each([
    ['a wrong secret', ['ls', 's3://lake']],
    ['an unknown option with a value', ['ls', `--s3.secret-key=${secret}`]],
    ['no command', [`s3x://AKIAKEY:${encodeURIComponent(secret)}@host/lake`]],
    ['too many arguments', ['probe', 's3://lake', `s3x://AKIAKEY:${encodeURIComponent(secret)}@host/lake`]],
    ['a URI with keys', ['ls', `s3x://AKIAKEY:${encodeURIComponent(secret)}@127.0.0.1:1/lake/x`]],
    ['a URI with a slash in the secret', ['ls', `s3x://AKIAKEY:${secret}@127.0.0.1:1/lake/x`]],
    ['wildcards where none go', ['probe', `s3x://AKIAKEY:${encodeURIComponent(secret)}@host/lake/*`]],
    ['a value without a key', ['ls', '--set', secret]],
    ['an unknown key', ['ls', '--set', `s3.secretkey=${secret}`]],
    ['the settings', ['config']],
    ['all settings', ['config', '--all', '--json']],
  ])('%s: none is printed, not even with --debug or in JSON', async (_, argv) => {
    const env = {
      S3_ENDPOINT: gateway.endpoint,
      S3_ACCESS_KEY: credentials.accessKeyId,
      S3_SECRET_KEY: secret,
      S3_RETRY_MAX_NUM_RETRIES: '0',
    };
    for (const more of [[], ['--debug'], ['--json'], ['--json', '--debug']]) {
      const { out, err } = await cli([...argv, ...more], { env, cwd: directory });
      for (const form of [secret, encodeURIComponent(secret), 'sEcReT', 'AKIAKEY'])
        expect({ out, err, has: (out + err).includes(form) }).toEqual({ out, err, has: false });
    }
  });

  test('keys in a URI are used', async () => {
    const user = `${credentials.accessKeyId}:${encodeURIComponent(credentials.secretAccessKey)}`;
    const lake = `s3x://${user}@127.0.0.1:${gateway.port}/lake/`;
    const env = { S3_SPI_ENDPOINT_PROTOCOL: 'http' };
    expect(await cli(['cp', '-', `${lake}a`], { env, stdin: ['hello'] })).toMatchObject({ code: 0 });
    expect(await cli(['cat', `${lake}*`], { env })).toMatchObject({ code: 0, out: 'hello' });
    const listed = await cli(['ls', '--json', lake], { env });
    expect(records(listed.out)).toMatchObject([{ uri: `s3x://127.0.0.1:${gateway.port}/lake/a` }]);
    expect(await cli(['rm', '-r', '--whole-bucket', `${lake}**`], { env })).toMatchObject({ code: 0 });
  });
});

describe('a whole bucket', () => {
  const stores = lasting();
  const { store } = stores.open('memory://whole/');
  const seed = { a: '1', 'b/c': '2' };

  test.each([
    [['rm', 'memory://whole']],
    [['rm', '-r', 'memory://whole']],
    [['rm', '-r', 'memory://whole/']],
    [['rm', '--whole-bucket', 'memory://whole']],
    [['rm', 'memory://whole/**']],
    [['rm', '-r', 'memory://whole/{a,**/c}']],
    [['rm', '--whole-bucket', 'memory://whole/**']],
    [['rm', '-r', '--dry-run', 'memory://whole/**']],
    [['rm', '-r', '--dry-run', 'memory://whole']],
  ])('%j is refused, and nothing is removed', async (argv) => {
    await put(store, seed);
    expect(await cli(argv, { stores })).toMatchObject({ code: 2, out: '' });
    expect(await contents(store)).toEqual(seed);
  });

  test.each([
    [['rm', '-r', '--whole-bucket', 'memory://whole']],
    [['rm', '-r', '--whole-bucket', 'memory://whole/**']],
  ])('%j is allowed', async (argv) => {
    await put(store, seed);
    expect(await cli(argv, { stores })).toMatchObject({ code: 0 });
    expect(await contents(store)).toEqual({});
  });
});

describe('config', () => {
  test('prints the effective values and where they come from', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
    try {
      await writeFile(
        join(directory, 'millrace.yaml'),
        's3:\n  bucket:\n    logs.example:\n      region: eu-west-1\n',
      );
      const { code, out } = await cli(['config', '--json', '--set', 's3.connection.max=7'], {
        cwd: directory,
        env: {
          S3_REGION: 'us-west-2',
          S3_ACCESS_KEY: 'AKIDAKID',
          S3_SECRET_KEY: secret,
          S3_PROXY: 'http://me:sEcReT@proxy.test:3128',
        },
      });
      expect(code).toBe(0);
      expect(records(out)).toEqual(
        expect.arrayContaining([
          {
            key: 's3.region',
            value: 'us-west-2',
            from: 'environment',
            where: 'environment variable S3_REGION',
          },
          { key: 's3.connection.max', value: '7', from: 'set', where: '--set' },
          { key: 's3.secret-key', value: '<hidden>', from: 'environment', where: anyText },
          {
            key: 's3.proxy',
            value: 'http://<hidden>@proxy.test:3128',
            from: 'environment',
            where: anyText,
          },
          {
            key: 's3.bucket.logs.example.region',
            value: 'eu-west-1',
            from: 'file',
            where: expect.stringContaining('millrace.yaml') as unknown,
          },
        ]),
      );
      const all = await cli(['config', '--all'], { cwd: directory });
      expect(all.out).toMatch(/^ {2}s3\.upload\.min\.part\.size +\S+/m);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('help', () => {
  test.each(['ls', 'cat', 'cp', 'mv', 'rm', 'stat', 'du', 'probe', 'uploads', 'config'])(
    '%s --help has examples',
    async (command) => {
      const { code, out, err } = await cli([command, '--help']);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toMatch(new RegExp(`Examples:\\n  .*millrace ${command}`));
    },
  );

  test('of the program explains credentials and exit codes', async () => {
    const { code, out } = await cli(['--help']);
    expect(code).toBe(0);
    expect(out).toMatch(/AWS_ACCESS_KEY_ID/);
    expect(out).toMatch(/0 done, 1 failed, 2 wrong usage, 3 not found, 130 interrupted/);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(110);
  });

  test('without a command is printed to standard error: exit code 2', async () => {
    const { code, out, err } = await cli([]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^Usage: millrace/);
  });
});

test('cat reads in fragments of the configured size', async () => {
  const stores = lasting();
  const body = Buffer.alloc(1 << 20, 'x');
  await put(stores.open('memory://fragments/').store, { a: body });
  const counted = new Map<string, ObjectStore>();
  const ranges: number[] = [];
  const watching: OpenedStores = {
    ...stores,
    open: (uri) => {
      const found = stores.open(uri);
      const get: ObjectStore['get'] = (key, options) => {
        const { start = 0, end = body.length } = options?.range ?? {};
        ranges.push(end - start);
        return found.store.get(key, options);
      };
      if (!counted.has(uri)) counted.set(uri, { ...decorate(found.store, (_, run) => run), get });
      return { ...found, store: counted.get(uri) ?? found.store };
    },
  };
  const set = ['s3.spi.read.max-fragment-size=65536', 's3.read.buffer.size=65536'].flatMap((each) => [
    '--set',
    each,
  ]);
  const { code, bytes } = await cli(['cat', 'memory://fragments/a', ...set], { stores: watching });
  expect({ code, whole: bytes.equals(body) }).toEqual({ code: 0, whole: true });
  expect(Math.max(...ranges)).toBe(65536);
});
