import { defaultIfEmpty, EMPTY, firstValueFrom } from 'rxjs';
import { delegationTokens } from '../../../src/store/s3/credentials/tokens.js';
import {
  configured,
  header,
  listen,
  put,
  putTo,
  putToAws,
  signedBy,
  type Effects,
  type Seen,
} from './listener.js';

import { passedBy, trusts } from './connection.js';
import {
  admitted,
  arn,
  encryption,
  keyless,
  keys,
  provided,
  providers,
  role,
  signer,
  withProfiles,
  type Set,
} from './signing.js';
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
    [`${bucket}acl`]: async () => {
      const set = { [`${bucket}acl`]: 'bucket-owner-read' };
      expect(header(await put(set), 'x-amz-acl')).toBe('bucket-owner-read');
      expect(header(await put(set, 'other'), 'x-amz-acl')).toBeUndefined();
    },
    [`${bucket}requester-pays`]: async () => {
      const set = { [`${bucket}requester-pays`]: true };
      expect(header(await put(set), 'x-amz-request-payer')).toBe('requester');
      expect(header(await put(set, 'other'), 'x-amz-request-payer')).toBeUndefined();
    },
    [`${bucket}proxy`]: async () => {
      const set = ({ host }: { readonly host: string }) => ({ [`${bucket}proxy`]: host });
      expect(await passedBy(set)).toHaveLength(1);
      await expect(passedBy(set, 'other')).rejects.toThrow(/s3\.test/);
    },
    [`${bucket}ca-bundle`]: async () => {
      const set = (bundle: string) => ({ [`${bucket}ca-bundle`]: bundle });
      expect(await trusts(set)).toBe(true);
      expect(await trusts(set, 'other')).toBe(false);
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
