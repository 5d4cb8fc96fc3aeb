import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultIfEmpty, EMPTY, firstValueFrom, lastValueFrom } from 'rxjs';
import { startGateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { delegationTokens } from '../../../src/store/s3/credentials/tokens.js';
import {
  configured,
  header,
  listen,
  put,
  putTo,
  putToAws,
  signedBy,
  using,
  type Effects,
  type Seen,
} from './listener.js';

type Set = Readonly<Record<string, unknown>>;

/** Without the keys that effects have otherwise. */
const keyless = { 's3.access-key': undefined, 's3.secret-key': undefined };
const arn = 'arn:aws:iam::123456789012:role/lake';

/** `[access key, region]` of the put that a configuration leads to. */
const signer = async (set: Set, bucket?: string) => signedBy((await put(set, bucket)).at(-1)!);

/** A process whose AWS files name two profiles, and whose environment has keys. */
async function withProfiles<T>(work: () => Promise<T>): Promise<T> {
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
async function providers(key: string, profile: string, bucket?: string): Promise<void> {
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

/** What STS is asked before the put. */
async function asked(set: Set, bucket?: string): Promise<URLSearchParams> {
  const [sts] = (await put(set, bucket)).filter(({ method }) => method === 'POST');
  return new URLSearchParams(sts?.body ?? '');
}

/** Effects of the keys of a role, whatever they are called. */
function role(
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
function encryption(prefix: string, context: string, bucket?: string): Effects {
  const of = async (set: Set): Promise<readonly (string | undefined)[]> => {
    const seen = await put(
      Object.fromEntries(Object.entries(set).map(([key, value]) => [prefix + key, value])),
      bucket,
    );
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
const keys = (id: string, secret: string, bucket?: string): Effects => ({
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
async function admitted(set: Set, bucket = 'lake'): Promise<boolean> {
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

const provided = () => Promise.resolve({ accessKeyId: 'PROVIDED', secretAccessKey: 's' });

const delegation = 'security.delegation.token.provider.s3-native.';

/** What STS sees of the first delegation token. */
async function delegated(set: Set): Promise<Seen | undefined> {
  const listener = await listen();
  const { delegationTokens: options, s3 } = configured({ 's3.endpoint': listener.endpoint, ...set });
  await firstValueFrom(delegationTokens({ ...options, s3 }).pipe(defaultIfEmpty(EMPTY)));
  return listener.seen[0];
}

const bucket = 's3.bucket.lake.';
/** Keys of one bucket, by their names in the schema. */
const named = (effects: Effects): Effects =>
  Object.fromEntries(
    Object.entries(effects).map(([key, effect]) => [key.replace(bucket, 's3.bucket.<name>.'), effect]),
  );

export const credentialEffects: Effects = {
  ...keys('s3.access-key', 's3.secret-key'),
  's3.session-token': async () => {
    expect(header(await put({ 's3.session-token': 'token' }), 'x-amz-security-token')).toBe('token');
  },
  's3.credentials': async () => {
    expect((await signer({ ...keyless, 's3.credentials': provided }))[0]).toBe('PROVIDED');
  },
  ...role('s3.assume-role.', {
    external: 'external-id',
    session: 'session-name',
    duration: 'session-duration',
  }),
  ...encryption('s3.', 's3.sse.kms.encryption-context.<name>'),

  'aws.region': async () => {
    expect((await signer({ 's3.region': undefined, 'aws.region': 'eu-west-3' }))[1]).toBe('eu-west-3');
  },
  ...keys('aws.accessKeyId', 'aws.secretAccessKey'),
  ...keys('aws.credentials.provider.basic.accesskeyid', 'aws.credentials.provider.basic.secretkey'),
  'aws.credentials.provider': () =>
    providers('aws.credentials.provider', 'aws.credentials.provider.profile.name'),
  'aws.credentials.provider.profile.name': () =>
    withProfiles(async () => {
      expect((await signer({ ...keyless, 'aws.credentials.provider.profile.name': 'lake' }))[0]).toBe(
        'OF_LAKE',
      );
    }),
  ...role('aws.credentials.provider.role.', { external: 'externalId', session: 'sessionName' }),

  [`${delegation}enabled`]: async () => {
    expect(await delegated({})).toBeUndefined();
    expect((await delegated({ [`${delegation}enabled`]: true }))?.body).toContain('GetSessionToken');
  },
  [`${delegation}access-key`]: async () => {
    const set = {
      [`${delegation}enabled`]: true,
      [`${delegation}access-key`]: 'ISSUER',
      [`${delegation}secret-key`]: 's',
    };
    expect(signedBy((await delegated(set))!)[0]).toBe('ISSUER');
  },
  [`${delegation}secret-key`]: async () => {
    const signing = (secret: string) =>
      admitted({
        [`${delegation}enabled`]: true,
        [`${delegation}access-key`]: 'OTHER',
        [`${delegation}secret-key`]: secret,
      });
    expect(await signing('right')).toBe(true);
    expect(await signing('wrong')).toBe(false);
  },
  [`${delegation}region`]: async () => {
    const set = { [`${delegation}enabled`]: true, [`${delegation}region`]: 'ap-east-1' };
    expect(signedBy((await delegated(set))!)[1]).toBe('ap-east-1');
  },

  ...named({
    [`${bucket}region`]: async () => {
      const set = { [`${bucket}region`]: 'eu-west-3' };
      expect((await signer(set))[1]).toBe('eu-west-3');
      expect((await signer(set, 'other'))[1]).toBe('us-east-1');
    },
    [`${bucket}endpoint`]: async () => {
      const own = await listen();
      expect(await put({ [`${bucket}endpoint`]: own.endpoint })).toEqual([]);
      expect(own.seen).toHaveLength(1);
      expect(await put({ [`${bucket}endpoint`]: own.endpoint }, 'other')).toHaveLength(1);
    },
    [`${bucket}path-style-access`]: async () => {
      const set = { [`${bucket}path-style-access`]: true };
      expect(header(await putToAws(set), 'host')).toBe('s3.us-east-1.amazonaws.com');
      expect(header(await putToAws(set, 'other'), 'host')).toBe('other.s3.us-east-1.amazonaws.com');
    },
    ...keys(`${bucket}access-key`, `${bucket}secret-key`, 'lake'),
    [`${bucket}session-token`]: async () => {
      const set = {
        [`${bucket}access-key`]: 'a',
        [`${bucket}secret-key`]: 'b',
        [`${bucket}session-token`]: 'token',
      };
      expect(header(await put(set), 'x-amz-security-token')).toBe('token');
      expect(header(await put(set, 'other'), 'x-amz-security-token')).toBeUndefined();
    },
    [`${bucket}credentials`]: async () => {
      const set = { [`${bucket}credentials`]: provided };
      expect((await signer(set))[0]).toBe('PROVIDED');
      expect((await signer(set, 'other'))[0]).toBe('KEY');
    },
    [`${bucket}credentials.provider`]: async () => {
      await providers(`${bucket}credentials.provider`, `${bucket}credentials.profile`);
      expect((await signer({ [`${bucket}credentials.provider`]: 'ANONYMOUS' }, 'other'))[0]).toBe('KEY');
    },
    [`${bucket}credentials.profile`]: () =>
      withProfiles(async () => {
        expect((await signer({ [`${bucket}credentials.profile`]: 'lake' }))[0]).toBe('OF_LAKE');
      }),
    ...role(`${bucket}assume-role.`, {
      external: 'external-id',
      session: 'session-name',
      duration: 'session-duration',
    }),
    ...encryption(bucket, 's3.bucket.<name>.sse.kms.encryption-context.<entry>'),
  }),
};

/** A configuration that is only for one bucket leaves the others alone. */
export async function otherBuckets(): Promise<readonly Seen[]> {
  const listener = await listen();
  const config = configured({
    's3.endpoint': listener.endpoint,
    [`${bucket}sse.type`]: 'sse-s3',
    [`${bucket}assume-role.arn`]: arn,
  });
  return putTo(listener, config, 'other');
}
