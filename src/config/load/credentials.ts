import { hideValues } from '../secrets.js';
import type { BucketOptions, CredentialProvider, S3Credentials } from '../s3Options.js';
import type { Setting, Settings } from './settings.js';

type Winners = ReadonlyMap<string, Setting>;

const basic = [
  'aws.credentials.provider.basic.accesskeyid',
  'aws.credentials.provider.basic.secretkey',
] as const;

/** The credentials of all buckets, from the group that `chooseGroups` left. */
export function credentialsOf(winners: Winners, settings: Settings): BucketOptions['credentials'] {
  const value = (key: string): unknown => winners.get(key)?.value;
  const given = value('s3.credentials');
  if (given !== undefined) return ofCode(given);
  const provider = value('aws.credentials.provider');
  if (provider === undefined || provider === 'BASIC') {
    const keys =
      pair(winners, settings, 's3.access-key', 's3.secret-key', 's3.session-token') ??
      pair(winners, settings, ...basic) ??
      pair(winners, settings, 'aws.accessKeyId', 'aws.secretAccessKey');
    if (keys !== undefined) return keys;
    if (provider === 'BASIC' && settings.problems.every(({ key }) => !basic.some((each) => each === key))) {
      settings.problem(
        'Incomplete',
        'aws.credentials.provider',
        `aws.credentials.provider: BASIC (${where(winners, 'aws.credentials.provider')}) needs ${basic.join(' and ')}.`,
      );
    }
  }
  const unused = basic.find((key) => winners.has(key));
  if (unused !== undefined && provider !== undefined && provider !== 'BASIC') {
    settings.warnings.push(
      `${unused} (${where(winners, unused)}) is not used: aws.credentials.provider is ${provider as string}.`,
    );
  }
  return named(winners, settings, 'aws.credentials.provider', 'aws.credentials.provider.profile.name');
}

/** The credentials of one bucket. */
export function bucketCredentialsOf(
  bucket: string,
  winners: Winners,
  settings: Settings,
): BucketOptions['credentials'] {
  const key = (rest: string): string => `s3.bucket.${bucket}.${rest}`;
  const given = winners.get(key('credentials'))?.value;
  if (given !== undefined) return ofCode(given);
  return (
    pair(winners, settings, key('access-key'), key('secret-key'), key('session-token')) ??
    named(winners, settings, key('credentials.provider'), key('credentials.profile'))
  );
}

/** Two keys that require each other, and a token that requires both. */
export function pair(
  winners: Winners,
  settings: Settings,
  id: string,
  secret: string,
  token?: string,
): S3Credentials | undefined {
  const present = [id, secret, ...(token === undefined ? [] : [token])].filter((key) => winners.has(key));
  const first = present[0];
  if (first === undefined) return undefined;
  const missing = [id, secret].filter((key) => !winners.has(key));
  if (missing.length > 0) {
    settings.problem(
      'Incomplete',
      first,
      `${first} (${where(winners, first)}) needs ${missing.join(' and ')}.`,
    );
    return undefined;
  }
  const text = (key: string): string => String(winners.get(key)?.value);
  return hideValues({
    accessKeyId: text(id),
    secretAccessKey: text(secret),
    ...(token !== undefined && winners.has(token) ? { sessionToken: text(token) } : {}),
  });
}

function named(
  winners: Winners,
  settings: Settings,
  key: string,
  profileKey: string,
): BucketOptions['credentials'] {
  const profile = winners.get(profileKey)?.value as string | undefined;
  const chosen = winners.get(key)?.value as CredentialProvider | 'BASIC' | undefined;
  const provider = chosen ?? (profile === undefined ? undefined : 'PROFILE');
  if (provider === undefined || provider === 'BASIC') return undefined;
  if (provider === 'PROFILE') return profile === undefined ? 'PROFILE' : { provider, profile };
  if (profile !== undefined) {
    settings.warnings.push(
      `${profileKey} (${where(winners, profileKey)}) is not used: ${key} is ${provider}.`,
    );
  }
  return provider;
}

/** Credentials set in code: unwraps the name of a provider, and hides keys. */
function ofCode(given: unknown): BucketOptions['credentials'] {
  if (typeof given === 'function') return given as () => Promise<S3Credentials>;
  const object = given as
    S3Credentials | { readonly provider: CredentialProvider; readonly profile?: string };
  if (!('provider' in object)) return hideValues({ ...object });
  const { provider, profile } = object;
  return provider === 'PROFILE' && profile !== undefined ? { provider, profile } : provider;
}

function where(winners: Winners, key: string): string {
  return winners.get(key)?.origin.where ?? '';
}
