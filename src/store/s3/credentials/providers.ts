import { MillraceError } from '../../../errors.js';
import { StoreError } from '../../errors.js';
import type { BucketOptions, S3Credentials } from '../../../config/s3Options.js';
import { InvalidOption } from '../../../config/units.js';
import type { Clock } from '../../../flow/index.js';
import type { AwsSettings } from '../aws/settings.js';
import { fixed, RefreshedCredentials, type CredentialSource } from './source.js';

export type Given = BucketOptions['credentials'];

/** What providers take from the world around them. */
export interface ProviderContext {
  readonly clock: Clock;
  readonly aws: AwsSettings;
  /** For the AWS services that some of the chain's providers ask. */
  readonly region: string | undefined;
}

const rule =
  "AUTO, ENV_VAR, PROFILE, ASSUME_ROLE, ANONYMOUS, { provider: 'PROFILE', profile }, keys with accessKeyId and secretAccessKey, or a function that gives such keys";

/** Where the credentials come from that `S3Options.credentials` asks for; `undefined` for none at all. Throws `InvalidOption`. */
export function providerOf(given: Given, context: ProviderContext): CredentialSource | undefined {
  const refreshed = (load: () => Promise<S3Credentials>): CredentialSource =>
    new RefreshedCredentials(load, context.clock);
  if (typeof given === 'function') return refreshed(() => custom(given));
  if (typeof given === 'object') {
    if ('accessKeyId' in given) {
      if (isCredentials(given)) return fixed({ ...given });
    } else if ((given.provider as string) === 'PROFILE') {
      return refreshed(() => profile(given.profile, context.region));
    }
    throw invalid('an object of another form');
  }
  switch (given) {
    case undefined:
    case 'AUTO':
    // The role comes on top; these are its base.
    case 'ASSUME_ROLE':
      return refreshed(() => chain(context.region));
    case 'ENV_VAR':
      return refreshed(() => Promise.resolve(environment(context.aws)));
    case 'PROFILE':
      return refreshed(() => profile(undefined, context.region));
    case 'ANONYMOUS':
      return undefined;
    default:
      throw invalid(given);
  }
}

/** The values of an object may be secrets. */
function invalid(what: unknown): InvalidOption {
  return new InvalidOption('s3.credentials', what, rule);
}

function isCredentials(value: unknown): value is S3Credentials {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = (value ?? {}) as Record<string, unknown>;
  const text = (part: unknown): boolean => typeof part === 'string' && part !== '';
  return (
    text(accessKeyId) &&
    text(secretAccessKey) &&
    (sessionToken === undefined || text(sessionToken)) &&
    (expiration === undefined || (expiration instanceof Date && !Number.isNaN(expiration.getTime())))
  );
}

async function custom(provide: () => Promise<S3Credentials>): Promise<S3Credentials> {
  let given: S3Credentials;
  try {
    given = await provide();
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    // Neither its words nor the error itself: a parser quotes what it parsed, a client refers to its request.
    const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
    const what = [name, code].filter((it) => typeof it === 'string' && /^\w{1,40}$/.test(it)).join(' ');
    throw new StoreError(
      'Unavailable',
      `The function that is to provide credentials failed${what === '' ? '' : ` (${what})`}. Its message is kept back, since it may hold a secret: throw a MillraceError to have it shown.`,
    );
  }
  if (isCredentials(given)) return { ...given };
  throw new MillraceError(
    'InvalidCredentials',
    'The function that is to provide credentials gave something else: it must give { accessKeyId, secretAccessKey }, and where they end { sessionToken, expiration }, a Date.',
  );
}

/** The environment as it is now: a process may be given new keys there. */
function environment(aws: AwsSettings): S3Credentials {
  const accessKeyId = aws.variable('AWS_ACCESS_KEY_ID');
  const secretAccessKey = aws.variable('AWS_SECRET_ACCESS_KEY');
  const sessionToken = aws.variable('AWS_SESSION_TOKEN');
  const expiration = aws.variable('AWS_CREDENTIAL_EXPIRATION');
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw missing('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set');
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(expiration === undefined || Number.isNaN(Date.parse(expiration))
      ? {}
      : { expiration: new Date(expiration) }),
  };
}

// Loaded late: the chain's providers are most of the SDK's code, and keys that are given need none of them. Made anew each
// time: the SDK's own memory would give what has been refused once more.

async function chain(region: string | undefined): Promise<S3Credentials> {
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
  return fromNodeProviderChain({ ignoreCache: true, ...clientConfig(region) })();
}

async function profile(name: string | undefined, region: string | undefined): Promise<S3Credentials> {
  const { fromIni } = await import('@aws-sdk/credential-providers');
  return fromIni({
    ignoreCache: true,
    ...(name === undefined ? {} : { profile: name }),
    ...clientConfig(region),
  })();
}

function clientConfig(region: string | undefined): { readonly clientConfig?: { readonly region: string } } {
  return region === undefined ? {} : { clientConfig: { region } };
}

function missing(why: string): StoreError {
  return new StoreError('PermissionDenied', `There are no credentials: ${why}.`);
}
