import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import type { BucketOptions } from '../../src/config/s3Options.js';
import { startGateway, type Gateway } from '../../src/store/gateway/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { S3Connection, type S3Options } from '../../src/store/s3/index.js';
import { credentialsOf } from '../../src/store/s3/credentials/index.js';
import { answer, credentials, emptyCephBucket, failure } from './s3support.js';

const arn = 'arn:aws:iam:::role/lake';
const session = { accessKeyId: 'SESSION', secretAccessKey: 'its-secret', sessionToken: 'its-token' };
const other = { accessKeyId: 'OTHER', secretAccessKey: 'other-secret' };

let gateway: Gateway;
/** The bodies of requests to STS: who was to become whom. */
let asked: URLSearchParams[];
let directory: string;
const inherited = { ...process.env };

beforeEach(async () => {
  asked = [];
  gateway = await startGateway({
    buckets: { lake: createMemoryStore() },
    credentials: [credentials, session, other],
    sts: { roles: { [arn]: {}, [`${arn}-partner`]: { externalId: 'partner:7' } } },
  });
  directory = await mkdtemp(join(tmpdir(), 'millrace-credentials-'));
  for (const name of Object.keys(process.env))
    if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
  // Neither this machine's files nor its cloud have a say.
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = join(directory, 'credentials');
  process.env['AWS_CONFIG_FILE'] = join(directory, 'config');
  process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
});
afterEach(async () => {
  process.env = { ...inherited };
  await gateway.close();
  await rm(directory, { recursive: true });
});

const setEnvironment = ({
  accessKeyId,
  secretAccessKey,
  sessionToken,
}: typeof session | (typeof other & { sessionToken?: string })): void => {
  process.env['AWS_ACCESS_KEY_ID'] = accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = secretAccessKey;
  if (sessionToken !== undefined) process.env['AWS_SESSION_TOKEN'] = sessionToken;
};

const setProfiles = (text: string): Promise<void> => writeFile(join(directory, 'credentials'), text);

const section = (name: string, keys: typeof session | typeof other): string =>
  `[${name}]\naws_access_key_id = ${keys.accessKeyId}\naws_secret_access_key = ${keys.secretAccessKey}\n` +
  ('sessionToken' in keys ? `aws_session_token = ${keys.sessionToken}\n` : '');

/** The error that a listing under these options fails with, if it does. */
async function listing(options: S3Options): Promise<unknown> {
  using s3 = new S3Connection({ endpoint: gateway.endpoint, retry: { maxRetries: 0 }, ...options });
  return await answer(s3.store('lake').list({})).then(
    () => 'let in',
    (error: unknown) => error,
  );
}

describe('keys', () => {
  test('are used as given, with a session token or without', async () => {
    expect(await listing({ credentials })).toBe('let in');
    expect(await listing({ credentials: session })).toBe('let in');
    expect(await listing({ credentials: { ...session, sessionToken: 'x' } })).toMatchObject({
      code: 'PermissionDenied',
      serverCode: 'InvalidToken',
    });
  });

  test('come from the environment, and from it as it is at the time', async () => {
    process.env['AWS_PROFILE'] = 'nobody';
    expect(await listing({ credentials: 'ENV_VAR' })).toMatchObject({
      code: 'PermissionDenied',
      message: /AWS_ACCESS_KEY_ID/,
    });
    setEnvironment(session);
    expect(await listing({ credentials: 'ENV_VAR' })).toBe('let in');
  });

  test('come from a profile: the default one, the one of AWS_PROFILE, or a named one', async () => {
    await setProfiles(section('default', other) + section('lake', session));
    setEnvironment({ accessKeyId: 'WRONG', secretAccessKey: 'wrong' });
    expect(await listing({ credentials: 'PROFILE' })).toBe('let in');
    expect(await listing({ credentials: { provider: 'PROFILE', profile: 'lake' } })).toBe('let in');
    await setProfiles(section('lake', session));
    expect(await listing({ credentials: 'PROFILE' })).toMatchObject({ code: 'PermissionDenied' });
    process.env['AWS_PROFILE'] = 'lake';
    expect(await listing({ credentials: 'PROFILE' })).toBe('let in');
    expect(await listing({ credentials: { provider: 'PROFILE', profile: 'none' } })).toMatchObject({
      code: 'PermissionDenied',
      message: /profile/,
    });
  });

  test('come from the AWS chain: the environment before the profile', async () => {
    expect(await listing({})).toMatchObject({ code: 'PermissionDenied', message: /give `credentials`/ });
    await setProfiles(section('default', other));
    expect(await listing({})).toBe('let in');
    setEnvironment({ accessKeyId: 'WRONG', secretAccessKey: 'wrong' });
    expect(await listing({ credentials: 'AUTO' })).toMatchObject({ serverCode: 'InvalidAccessKeyId' });
  });

  test('that a file holds no more are read anew once a server says that they have expired', async () => {
    await setProfiles(section('default', session));
    let replaced = false;
    await using strict = await startGateway({
      buckets: { lake: createMemoryStore() },
      credentials: [session, other],
      faults: () => {
        if (replaced) return undefined;
        replaced = true;
        writeFileSync(join(directory, 'credentials'), section('default', other));
        return { failure: { kind: 'answer', status: 400, code: 'ExpiredToken' } };
      },
    });
    using s3 = new S3Connection({
      endpoint: strict.endpoint,
      credentials: 'PROFILE',
      retry: { maxRetries: 0 },
    });
    await answer(s3.store('lake').list({}));
    expect(replaced).toBe(true);
  });

  test('come from a function, which is told nothing and asked once', async () => {
    let calls = 0;
    const provide = (...args: unknown[]): Promise<typeof session> => {
      calls += 1 + args.length;
      return Promise.resolve(session);
    };
    using s3 = new S3Connection({ endpoint: gateway.endpoint, credentials: provide });
    await Promise.all([1, 2, 3].map(() => answer(s3.store('lake').list({}))));
    await answer(s3.reserved('lake').list({}));
    expect(calls).toBe(1);
  });

  test('of a function that fails, or gives something else, are an error that says so', async () => {
    expect(await listing({ credentials: () => Promise.reject(new Error('vault is sealed')) })).toMatchObject({
      code: 'Unavailable',
      retryable: true,
      message: /function.*\(Error\)/,
    });
    const broken = [undefined, {}, { accessKeyId: 'a' }, { ...session, expiration: 'tomorrow' }];
    for (const keys of broken) {
      const error = await listing({ credentials: () => Promise.resolve(keys as typeof session) });
      expect(error).toMatchObject({ code: 'InvalidCredentials', message: /\{ accessKeyId/ });
      expect(String(error)).not.toContain('its-secret');
    }
  });
});

test('ANONYMOUS signs nothing, assumes no role, and asks for no keys', async () => {
  const seen: { url: string | undefined; names: string[] }[] = [];
  const server = createServer((request, response) => {
    seen.push({ url: request.url, names: Object.keys(request.headers) });
    response.end('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    using s3 = new S3Connection({
      endpoint: `http://127.0.0.1:${port}`,
      credentials: 'ANONYMOUS',
      assumeRole: { arn },
    });
    await answer(s3.store('open-data').list({}));
  } finally {
    server.close();
    server.closeAllConnections();
  }
  expect(seen).toHaveLength(1);
  expect(seen[0]!.url).toMatch(/^\/open-data\b/);
  expect(seen[0]!.names.filter((name) => /authorization|security-token|x-amz-date/.test(name))).toEqual([]);
});

describe('a role', () => {
  test('is assumed with the keys given, at the S3 endpoint, and its session is what requests use', async () => {
    expect(await listing({ credentials, assumeRole: { arn } })).toBe('let in');
    gateway.endSessions();
    expect(await listing({ credentials: 'ASSUME_ROLE', assumeRole: { arn } })).toMatchObject({
      code: 'PermissionDenied',
    });
    await setProfiles(section('default', other));
    expect(await listing({ credentials: 'ASSUME_ROLE', assumeRole: { arn } })).toBe('let in');
    expect(await listing({ assumeRole: { arn } })).toBe('let in');
  });

  test('is asked for by its ARN, external id, session name and duration', async () => {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        asked.push(new URLSearchParams(body));
        response.statusCode = 403;
        response.end(
          '<ErrorResponse><Error><Code>AccessDenied</Code><Message>No</Message></Error></ErrorResponse>',
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const endpoint = `http://127.0.0.1:${port}`;
    const ask = async (assumeRole: Partial<NonNullable<BucketOptions['assumeRole']>>): Promise<object> => {
      const error = await listing({ credentials, assumeRole: { arn, endpoint, ...assumeRole } });
      expect(error).toMatchObject({
        code: 'PermissionDenied',
        message: /AssumeRole arn:aws:iam:::role\/lake.*sts:AssumeRole.*trust policy/,
      });
      return Object.fromEntries(asked.pop() ?? []);
    };
    try {
      expect(await ask({})).toMatchObject({
        Action: 'AssumeRole',
        RoleArn: arn,
        RoleSessionName: 'millrace-session',
        DurationSeconds: '3600',
      });
      expect(await ask({})).not.toHaveProperty('ExternalId');
      expect(
        await ask({ externalId: 'partner:7', sessionName: 'nightly', sessionDuration: '12h' }),
      ).toMatchObject({ ExternalId: 'partner:7', RoleSessionName: 'nightly', DurationSeconds: '43200' });
      expect(await ask({ sessionDuration: 900 })).toMatchObject({ DurationSeconds: '900' });
      process.env['AWS_ENDPOINT_URL_STS'] = endpoint;
      expect(await listing({ credentials, assumeRole: { arn } })).toMatchObject({ code: 'PermissionDenied' });
      expect(asked).toHaveLength(1);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  test('with an external id takes the right one only', async () => {
    const role = { arn: `${arn}-partner` };
    expect(await listing({ credentials, assumeRole: { ...role, externalId: 'partner:7' } })).toBe('let in');
    expect(await listing({ credentials, assumeRole: { ...role, externalId: 'partner:8' } })).toMatchObject({
      code: 'PermissionDenied',
    });
  });

  test.each([
    [{ arn: 'lake' }, 's3.assumeRole.arn'],
    [{ sessionName: 'x' }, 's3.assumeRole.sessionName'],
    [{ sessionName: 'a b' }, 's3.assumeRole.sessionName'],
    [{ sessionDuration: 899 }, 's3.assumeRole.sessionDuration'],
    [{ sessionDuration: 43_201 }, 's3.assumeRole.sessionDuration'],
    [{ sessionDuration: '899s' }, 's3.assumeRole.sessionDuration'],
    [{ sessionDuration: 1000.5 }, 's3.assumeRole.sessionDuration'],
    [{ externalId: 'x' }, 's3.assumeRole.externalId'],
    [{ endpoint: 'sts' }, 's3.assumeRole.endpoint'],
    [{ endpoint: 'http://user:password@sts' }, 's3.assumeRole.endpoint'],
  ])('%p is refused at once', (wrong, key) => {
    const make = (): unknown => new S3Connection({ credentials, assumeRole: { arn, ...wrong } });
    expect(make).toThrow(expect.objectContaining({ code: 'InvalidOption', key }));
    expect(make).not.toThrow(/password@/);
  });

  test('may be missing only where none is asked for', () => {
    expect(() => credentialsOf({ credentials: 'ASSUME_ROLE' })).toThrow(/s3.assumeRole.arn/);
    expect(() => credentialsOf({ credentials: 'BASIC' as 'AUTO' })).toThrow(/BASIC.*AUTO, ENV_VAR/);
    expect(() => credentialsOf({ credentials: { accessKeyId: 'a', secretAccessKey: '' } })).toThrow(
      /s3.credentials/,
    );
  });
});

const ceph = process.env['MILLRACE_TEST_S3_ENDPOINT'];
const cephRole = process.env['MILLRACE_TEST_S3_ROLE_ARN'];
if (ceph !== undefined && cephRole !== undefined) {
  test('a role of a real server is assumed there, and its session writes', async () => {
    const base = {
      endpoint: ceph,
      region: process.env['MILLRACE_TEST_S3_REGION'] ?? 'us-east-1',
      credentials: {
        accessKeyId: process.env['MILLRACE_TEST_S3_ACCESS_KEY'] ?? '',
        secretAccessKey: process.env['MILLRACE_TEST_S3_SECRET_KEY'] ?? '',
      },
    };
    using owner = new S3Connection(base);
    using s3 = new S3Connection({ ...base, assumeRole: { arn: cephRole, sessionDuration: 900 } });
    const bucket = `credentials-${crypto.randomUUID()}`;
    await lastValueFrom(s3.createBucket(bucket), { defaultValue: undefined });
    await answer(s3.store(bucket).put('a', Buffer.from('x')));
    expect((await answer(s3.store(bucket).head('a'))).size).toBe(1);
    using wrong = new S3Connection({
      ...base,
      assumeRole: { arn: `${cephRole}-none` },
      retry: { maxRetries: 0 },
    });
    expect(await failure(wrong.store(bucket).head('a'))).toMatchObject({ message: /AssumeRole/ });
    await emptyCephBucket(s3, bucket).catch(() => emptyCephBucket(owner, bucket));
  });
} else {
  it.todo('a role of a real server: set MILLRACE_TEST_S3_ENDPOINT and MILLRACE_TEST_S3_ROLE_ARN');
}
