import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startGateway, type Gateway } from '../../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../../src/store/memory/index.js';
import { S3Connection, type S3Options } from '../../../../src/store/s3/index.js';
import { answer, credentials } from '../../s3support.js';
import { emptyHome, listingWith } from '../emptyHome.js';

const arn = 'arn:aws:iam:::role/lake';
const session = { accessKeyId: 'SESSION', secretAccessKey: 'its-secret', sessionToken: 'its-token' };
const other = { accessKeyId: 'OTHER', secretAccessKey: 'other-secret' };

let gateway: Gateway;
const home = emptyHome();

beforeEach(async () => {
  gateway = await startGateway({
    buckets: { lake: createMemoryStore() },
    credentials: [credentials, session, other],
  });
});
afterEach(() => gateway.close());

const setEnvironment = ({
  accessKeyId,
  secretAccessKey,
  sessionToken,
}: typeof session | (typeof other & { sessionToken?: string })): void => {
  process.env['AWS_ACCESS_KEY_ID'] = accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = secretAccessKey;
  if (sessionToken !== undefined) process.env['AWS_SESSION_TOKEN'] = sessionToken;
};

const setProfiles = (text: string): void => writeFileSync(join(home(), '.aws', 'credentials'), text);

const section = (name: string, keys: typeof session | typeof other): string =>
  `[${name}]\naws_access_key_id = ${keys.accessKeyId}\naws_secret_access_key = ${keys.secretAccessKey}\n` +
  ('sessionToken' in keys ? `aws_session_token = ${keys.sessionToken}\n` : '');

const listing = (options: S3Options): Promise<unknown> =>
  listingWith({ endpoint: gateway.endpoint, ...options });

describe('keys', () => {
  test('are used as given, with a session token or without', async () => {
    expect(await listing({ credentials })).toBe('let in');
    expect(await listing({ credentials: session })).toBe('let in');
    expect(await listing({ credentials: { ...session, sessionToken: 'x' } })).toMatchObject({
      code: 'PermissionDenied',
      serverCode: 'InvalidToken',
    });
  });

  test('come from the environment, as it is at the time', async () => {
    process.env['AWS_PROFILE'] = 'nobody';
    expect(await listing({ credentials: 'ENV_VAR' })).toMatchObject({
      code: 'PermissionDenied',
      message: expect.stringMatching(/AWS_ACCESS_KEY_ID/) as string,
    });
    setEnvironment(session);
    expect(await listing({ credentials: 'ENV_VAR' })).toBe('let in');
  });

  test('come from a profile: the default one, the one of AWS_PROFILE, or a named one', async () => {
    setProfiles(section('default', other) + section('lake', session));
    setEnvironment({ accessKeyId: 'WRONG', secretAccessKey: 'wrong' });
    expect(await listing({ credentials: 'PROFILE' })).toBe('let in');
    expect(await listing({ credentials: { provider: 'PROFILE', profile: 'lake' } })).toBe('let in');
    setProfiles(section('lake', session));
    expect(await listing({ credentials: 'PROFILE' })).toMatchObject({ code: 'PermissionDenied' });
    process.env['AWS_PROFILE'] = 'lake';
    expect(await listing({ credentials: 'PROFILE' })).toBe('let in');
    expect(await listing({ credentials: { provider: 'PROFILE', profile: 'none' } })).toMatchObject({
      code: 'PermissionDenied',
      message: expect.stringMatching(/profile/) as string,
    });
  });

  test('come from the AWS chain: the environment before the profile', async () => {
    expect(await listing({})).toMatchObject({
      code: 'PermissionDenied',
      message: expect.stringMatching(/give `credentials`/) as string,
    });
    setProfiles(section('default', other));
    expect(await listing({})).toBe('let in');
    setEnvironment({ accessKeyId: 'WRONG', secretAccessKey: 'wrong' });
    expect(await listing({ credentials: 'AUTO' })).toMatchObject({ serverCode: 'InvalidAccessKeyId' });
  });

  test('that a file no longer contains are read again once a server answers that they have expired', async () => {
    setProfiles(section('default', session));
    let replaced = false;
    await using strict = await startGateway({
      buckets: { lake: createMemoryStore() },
      credentials: [session, other],
      faults: () => {
        if (replaced) return undefined;
        replaced = true;
        setProfiles(section('default', other));
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

  test('come from a function, which gets no arguments and is called once', async () => {
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

  test('of a function that fails, or returns something else, are an error that says so', async () => {
    expect(await listing({ credentials: () => Promise.reject(new Error('vault is sealed')) })).toMatchObject({
      code: 'Unavailable',
      retryable: true,
      message: expect.stringMatching(/function.*\(Error\)/) as string,
    });
    const broken = [undefined, {}, { accessKeyId: 'a' }, { ...session, expiration: 'tomorrow' }];
    for (const keys of broken) {
      const error = await listing({ credentials: () => Promise.resolve(keys as typeof session) });
      expect(error).toMatchObject({
        code: 'InvalidCredentials',
        message: expect.stringMatching(/\{ accessKeyId/) as string,
      });
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
