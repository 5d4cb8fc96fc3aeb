import { MillraceError } from '../../../errors.js';
import { StoreError } from '../../errors.js';
import type { BucketOptions, S3Credentials } from '../../../config/s3Options.js';
import { InvalidOption } from '../../../config/units.js';
import type { Clock } from '../../../flow/index.js';
import type { AwsSettings } from '../aws/settings.js';
import { chain, keysOfEnvironment } from './chain.js';
import type { ProviderContext } from './sts.js';
import { noCredentials } from './errors.js';
import { ofProfile } from './profile.js';
import { fixed, RefreshedCredentials, type CredentialSource } from './source.js';

export type Given = BucketOptions['credentials'];

export interface SourceContext extends Omit<ProviderContext, 'now'> {
  readonly clock: Clock;
}

const rule =
  "AUTO, ENV_VAR, PROFILE, ASSUME_ROLE, ANONYMOUS, { provider: 'PROFILE', profile }, keys with accessKeyId and secretAccessKey, or a function that gives such keys";

/** The source of the credentials that `S3Options.credentials` chooses; `undefined` for none. Throws `InvalidOption`. */
export function providerOf(given: Given, context: SourceContext): CredentialSource | undefined {
  const { clock, aws } = context;
  const refreshed = (load: () => Promise<S3Credentials>): CredentialSource =>
    new RefreshedCredentials(load, clock);
  const asked = { ...context, now: () => clock.now() };
  const profile = (): Promise<S3Credentials> => ofProfile({ ...asked, aws: aws.reload() });
  if (typeof given === 'function') return refreshed(() => custom(given));
  if (typeof given === 'object') {
    if ('accessKeyId' in given) {
      if (isCredentials(given)) return fixed({ ...given });
    } else if ((given.provider as string) === 'PROFILE') {
      return refreshed(profile);
    }
    throw invalid('an object of another form');
  }
  switch (given) {
    case undefined:
    case 'AUTO':
    // The base credentials of the role.
    case 'ASSUME_ROLE':
      return refreshed(() => chain(asked));
    case 'ENV_VAR':
      return refreshed(() => Promise.resolve(environment(aws)));
    case 'PROFILE':
      return refreshed(profile);
    case 'ANONYMOUS':
      return undefined;
    default:
      throw invalid(given);
  }
}

/** `what` must not show an object's values: they may be secrets. */
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
    // Neither its message nor the error itself: a parser quotes its input, a client refers to its request.
    const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown };
    const what = [name, code].filter((it) => typeof it === 'string' && /^\w{1,40}$/.test(it)).join(' ');
    throw new StoreError(
      'Unavailable',
      `The credentials function failed${what === '' ? '' : ` (${what})`}. Its message is kept back, since it may hold a secret: throw a MillraceError to have it shown.`,
    );
  }
  if (isCredentials(given)) return { ...given };
  throw new MillraceError(
    'InvalidCredentials',
    'The credentials function returned something else: it must return { accessKeyId, secretAccessKey } and, if they expire, { sessionToken, expiration }, a Date.',
  );
}

function environment(aws: AwsSettings): S3Credentials {
  const keys = keysOfEnvironment(aws);
  if (keys === undefined)
    throw noCredentials(
      'There are no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set. Set them, or choose another provider.',
    );
  return keys;
}
