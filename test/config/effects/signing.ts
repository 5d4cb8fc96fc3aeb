import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { startGateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { delegationTokens } from '../../../src/store/s3/credentials/tokens.js';
import { configured, header, listen, put, signedBy, using, type Effects } from './listener.js';

export type Set = Readonly<Record<string, unknown>>;

/** Without the keys that effects have otherwise. */
export const keyless = { 's3.access-key': undefined, 's3.secret-key': undefined };
export const arn = 'arn:aws:iam::123456789012:role/lake';

/** `[access key, region]` of the put that a configuration leads to. */
export const signer = async (set: Set, bucket?: string) => signedBy((await put(set, bucket)).at(-1)!);

/** A process whose AWS files name two profiles, and whose environment has keys. */
export async function withProfiles<T>(work: () => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-effects-'));
  const before = { ...process.env };
  const section = (name: string): string =>
    `[${name}]\naws_access_key_id = OF_${name.toUpperCase()}\naws_secret_access_key = s\n`;
  writeFileSync(join(directory, 'credentials'), section('default') + section('lake'));
  for (const name of Object.keys(process.env))
    if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
  Object.assign(process.env, {
    AWS_SHARED_CREDENTIALS_FILE: join(directory, 'credentials'),
    AWS_CONFIG_FILE: join(directory, 'config'),
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ACCESS_KEY_ID: 'OF_ENVIRONMENT',
    AWS_SECRET_ACCESS_KEY: 's',
  });
  try {
    return await work();
  } finally {
    process.env = before;
    rmSync(directory, { recursive: true });
  }
}

/** Who signs under each provider. */
export async function providers(key: string, profile: string, bucket?: string): Promise<void> {
  const by = async (provider: string, more: Set = {}) =>
    (await signer({ ...keyless, [key]: provider, ...more }, bucket))[0];
  await withProfiles(async () => {
    expect(await by('ENV_VAR')).toBe('OF_ENVIRONMENT');
    expect(await by('AUTO')).toBe('OF_ENVIRONMENT');
    expect(await by('PROFILE')).toBe('OF_DEFAULT');
    expect(await by('PROFILE', { [profile]: 'lake' })).toBe('OF_LAKE');
    expect(await by('ANONYMOUS')).toBeUndefined();
  });
}

/** The request to STS before the put. */
export async function asked(set: Set, bucket?: string): Promise<URLSearchParams> {
  const [sts] = (await put(set, bucket)).filter(({ method }) => method === 'POST');
  return new URLSearchParams(sts?.body ?? '');
}

/** Effects of the keys of a role, under any names. */
export function role(
  prefix: string,
  names: { external: string; session: string; duration?: string },
  bucket?: string,
): Effects {
  const key = (name: string): string => `${prefix}${name}`;
  const of = (name: string, value: unknown) => asked({ [key('arn')]: arn, [key(name)]: value }, bucket);
  const { external, session, duration } = names;
  return {
    [key('arn')]: async () => {
      const seen = await put({ [key('arn')]: arn }, bucket);
      expect(new URLSearchParams(seen[0]?.body).get('RoleArn')).toBe(arn);
      expect(signedBy(seen[1]!)[0]).toBe('SESSION');
    },
    [key(external)]: async () => {
      expect((await of(external, 'partner:7')).get('ExternalId')).toBe('partner:7');
      expect((await of('arn', arn)).get('ExternalId')).toBeNull();
    },
    [key(session)]: async () => {
      expect((await of(session, 'me@work')).get('RoleSessionName')).toBe('me@work');
      expect((await of('arn', arn)).get('RoleSessionName')).toBe('millrace-session');
    },
    ...(duration === undefined
      ? {}
      : {
          [key(duration)]: async () => {
            expect((await of(duration, '2h')).get('DurationSeconds')).toBe('7200');
            expect((await of(duration, 900)).get('DurationSeconds')).toBe('900');
          },
          [key('endpoint')]: async () => {
            const sts = await listen();
            const seen = await put({ [key('arn')]: arn, [key('endpoint')]: sts.endpoint }, bucket);
            expect(sts.seen).toHaveLength(1);
            expect(signedBy(seen[0]!)[0]).toBe('SESSION');
          },
        }),
  };
}

/** Effects of the keys of encryption. */
export function encryption(prefix: string, context: string, bucket?: string): Effects {
  const base64 = Buffer.alloc(32, 'k').toString('base64');
  const prefixed = (set: Set): Set =>
    Object.fromEntries(Object.entries(set).map(([key, value]) => [prefix + key, value]));
  const customer = async (set: Set, more: Set = {}) =>
    header(await put({ ...prefixed(set), ...more }, bucket), 'x-amz-server-side-encryption-customer-key');
  const of = async (set: Set): Promise<readonly (string | undefined)[]> => {
    const seen = await put(prefixed(set), bucket);
    return ['', '-aws-kms-key-id', '-context'].map((name) =>
      header(seen, `x-amz-server-side-encryption${name}`),
    );
  };
  return {
    [`${prefix}sse.type`]: async () => {
      expect(await of({})).toEqual([undefined, undefined, undefined]);
      expect(await of({ 'sse.type': 'aes256' })).toEqual(['AES256', undefined, undefined]);
      expect(await of({ 'sse.type': 'aws:kms' })).toEqual(['aws:kms', undefined, undefined]);
    },
    [`${prefix}sse.customer-key`]: async () => {
      expect(await customer({ 'sse.customer-key': base64 })).toBe(base64);
      expect(await customer({ 'sse.type': 'sse-c', 'sse.customer-key': base64 })).toBe(base64);
    },
    [`${prefix}sse.customer-key-file`]: async () => {
      const directory = mkdtempSync(join(tmpdir(), 'millrace-effects-'));
      try {
        const file = join(directory, 'key');
        writeFileSync(file, Buffer.alloc(32, 'k'));
        expect(await customer({ 'sse.customer-key-file': file })).toBe(base64);
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
    [`${prefix}sse.customer-key-over-http`]: async () => {
      const key = { 'sse.customer-key': base64 };
      const far = { 's3.endpoint': 'http://s3.test', 's3.proxy': 'http://127.0.0.1:1' };
      await expect(customer(key, far)).rejects.toMatchObject({ code: 'InvalidS3Options' });
      await expect(customer({ ...key, 'sse.customer-key-over-http': true }, far)).rejects.toMatchObject({
        code: 'Unavailable',
      });
    },
    [`${prefix}sse.kms.key-id`]: async () => {
      expect((await of({ 'sse.type': 'sse-kms', 'sse.kms.key-id': 'alias/lake' }))[1]).toBe('alias/lake');
    },
    [context]: async () => {
      const [, , sent = ''] = await of({ 'sse.type': 'sse-kms', 'sse.kms.encryption-context.dept': 'x' });
      expect(Buffer.from(sent, 'base64').toString()).toBe('{"dept":"x"}');
    },
  };
}

/** Keys that are written by name: the first signs, with the second the signature differs. */
export const keys = (id: string, secret: string, bucket?: string): Effects => ({
  [id]: async () => {
    expect((await signer({ ...keyless, [id]: 'OTHER', [secret]: 'x' }, bucket))[0]).toBe('OTHER');
  },
  [secret]: async () => {
    const signing = (value: string) => admitted({ ...keyless, [id]: 'OTHER', [secret]: value }, bucket);
    expect(await signing('right')).toBe(true);
    expect(await signing('wrong')).toBe(false);
  },
});

/** Whether a server that knows the key OTHER lets a put in. */
export async function admitted(set: Set, bucket = 'lake'): Promise<boolean> {
  const gateway = await startGateway({
    buckets: { [bucket]: createMemoryStore() },
    credentials: { accessKeyId: 'OTHER', secretAccessKey: 'right' },
    sts: {},
  });
  try {
    const config = configured({ 's3.endpoint': gateway.endpoint, ...set });
    const { delegationTokens: tokens, s3 } = config;
    if (tokens.enabled) await firstValueFrom(delegationTokens({ ...tokens, s3 }));
    else {
      await using(config, (stores) =>
        lastValueFrom(stores.open(`s3://${bucket}/key`).store.put('key', Buffer.from('body'))),
      );
    }
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'PermissionDenied' });
    return false;
  } finally {
    await gateway.close();
  }
}

export const provided = () => Promise.resolve({ accessKeyId: 'PROVIDED', secretAccessKey: 's' });
