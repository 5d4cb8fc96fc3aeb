import { AssumeRoleCommand, GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts';
import { startGateway, type Gateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { S3Connection } from '../../../src/store/s3/index.js';
import { answer, credentials, failure } from '../s3support.js';

const arn = 'arn:aws:iam:::role/lake';
let gateway: Gateway;

beforeEach(async () => {
  gateway = await startGateway({
    buckets: { lake: createMemoryStore() },
    credentials,
    sts: { roles: { [arn]: {}, 'arn:aws:iam:::role/outside': { externalId: 'partner' } } },
  });
});
afterEach(() => gateway.close());

async function sts<T>(exchange: (client: STSClient) => Promise<T>, keys: object = credentials): Promise<T> {
  const client = new STSClient({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    credentials: keys as typeof credentials,
    maxAttempts: 1,
  });
  try {
    return await exchange(client);
  } finally {
    client.destroy();
  }
}

const assume = (input: Partial<ConstructorParameters<typeof AssumeRoleCommand>[0]> = {}) =>
  sts((client) => client.send(new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'me', ...input })));

/** The error of a listing with the keys of a session. */
async function refused(session: Awaited<ReturnType<typeof assume>>['Credentials']): Promise<unknown> {
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = session ?? {};
  using s3 = new S3Connection({
    endpoint: gateway.endpoint,
    credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken },
    retry: { maxRetries: 0 },
  });
  return await answer(s3.store('lake').list({})).then(
    () => undefined,
    (error: unknown) => error,
  );
}

test('a session of STS is accepted until sessions are ended', async () => {
  const before = Date.now();
  const { Credentials } = await assume({ DurationSeconds: 900 });
  expect(Credentials?.Expiration?.getTime()).toBeGreaterThan(before + 898_000);
  expect(Credentials?.Expiration?.getTime()).toBeLessThan(Date.now() + 901_000);
  expect(await refused(Credentials)).toBeUndefined();
  gateway.endSessions();
  expect(await refused(Credentials)).toMatchObject({ code: 'Expired' });
  expect(await refused((await assume()).Credentials)).toBeUndefined();
});

test('a role is assumed only with what it requires', async () => {
  const outside = { RoleArn: 'arn:aws:iam:::role/outside' };
  await expect(assume({ RoleArn: 'arn:aws:iam:::role/other' })).rejects.toMatchObject({
    name: 'AccessDenied',
  });
  await expect(assume(outside)).rejects.toMatchObject({ name: 'AccessDenied' });
  await expect(assume({ ...outside, ExternalId: 'other' })).rejects.toMatchObject({ name: 'AccessDenied' });
  await assume({ ...outside, ExternalId: 'partner' });
  await expect(assume({ RoleSessionName: 'x' })).rejects.toMatchObject({ name: 'ValidationError' });
  await expect(assume({ DurationSeconds: 899 })).rejects.toMatchObject({ name: 'ValidationError' });
});

test('a session token is for long-lived keys only, and unknown keys get nothing', async () => {
  const token = (keys?: object) => sts((client) => client.send(new GetSessionTokenCommand({})), keys);
  const { Credentials } = await token();
  expect(await refused(Credentials)).toBeUndefined();
  const session = {
    accessKeyId: Credentials?.AccessKeyId,
    secretAccessKey: Credentials?.SecretAccessKey,
    sessionToken: Credentials?.SessionToken,
  };
  await expect(token(session)).rejects.toMatchObject({ name: 'AccessDenied' });
  await expect(token({ ...credentials, secretAccessKey: 'other' })).rejects.toMatchObject({
    name: 'SignatureDoesNotMatch',
  });
});

test('without the option there is no STS', async () => {
  await gateway.close();
  gateway = await startGateway({ buckets: {}, credentials });
  await expect(assume()).rejects.toMatchObject({ $metadata: { httpStatusCode: 405 } });
  using s3 = new S3Connection({ endpoint: gateway.endpoint, credentials, assumeRole: { arn } });
  expect(await failure(s3.store('lake').list({}))).toMatchObject({
    code: 'NotSupported',
    message: expect.stringMatching(/STS/) as string,
  });
});
