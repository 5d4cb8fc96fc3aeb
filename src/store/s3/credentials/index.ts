/**
 * The credentials of a connection, from the provider that its options name, kept fresh.
 *
 * Credentials are obtained when the first request needs them (`providers.ts`). They are replaced before they expire
 * (`source.ts`), and when a server refuses them as expired: the command is then repeated with new ones (`renewal.ts`), so an
 * upload may outlive many sessions. A role's session comes from STS, obtained with the base credentials (`sts.ts`); for
 * servers other than AWS, STS is at the S3 endpoint by default.
 *
 * `delegationTokens` keeps a session that a process hands to its workers (`handover.ts`), which then hold no long-lived
 * secret.
 *
 * Secrets exist only in this folder's closures, private fields and requests: errors of servers and of user functions are
 * passed on without them (`errors.ts`).
 */
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { BucketOptions } from '../../../config/s3Options.js';
import { systemClock, type Clock } from '../../../flow/index.js';
import { InvalidOption } from '../../../config/units.js';
import { AwsSettings } from '../aws/settings.js';
import { firstRegion } from '../region.js';
import { transportOf, type Transport } from '../transport.js';
import { providerOf } from './providers.js';
import { renewing } from './renewal.js';
import { roleOf, stsEndpoint } from './role.js';
import { fixed, RefreshedCredentials, type CredentialSource } from './source.js';
import { assumeRole, oneShotHandler } from './sts.js';

export {
  deserializeToken,
  receivedTokens,
  sendTokens,
  serializeToken,
  type ReceivedTokensOptions,
  type SerializedToken,
} from './handover.js';
export { delegationTokens, type DelegationToken, type DelegationTokensOptions } from './tokens.js';

/** The options that choose the credentials. */
export interface CredentialOptions {
  readonly credentials?: BucketOptions['credentials'] | undefined;
  readonly assumeRole?: BucketOptions['assumeRole'] | undefined;
  readonly region?: string | undefined;
}

/** What the choice of credentials depends on besides the options. */
export interface CredentialsContext {
  /** The S3 endpoint of a server that is not AWS. */
  readonly endpoint?: string | undefined;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Default: from the environment and files of this process. */
  readonly aws?: AwsSettings;
  /** Default: from the environment and files of this process. */
  readonly transport?: Transport;
}

/** A connection's credentials, shared by all of its clients. */
export interface ConnectionCredentials {
  /** For the client's configuration. */
  readonly config: {
    readonly credentials: NonNullable<S3ClientConfig['credentials']>;
    readonly signer?: NonNullable<S3ClientConfig['signer']>;
  };
  /** Middleware for the client: repeats commands whose credentials have expired. */
  readonly renewal: ReturnType<typeof renewing>;
}

/**
 * The credentials that the options choose. Nothing is requested until the first request. With `ANONYMOUS`, no role is
 * assumed either: other buckets of the configuration may need one. Throws `InvalidOption`.
 */
export function credentialsOf(
  options: CredentialOptions,
  context: CredentialsContext = {},
): ConnectionCredentials {
  const { clock = systemClock } = context;
  const source = sourceOf(options, context);
  if (source === undefined) return anonymous;
  return {
    // Marked as memoized, or the SDK would keep using credentials until their own expiration.
    config: { credentials: Object.assign(() => source.get(), { memoized: true }) },
    renewal: renewing(source, () => clock.now()),
  };
}

const nobody = { accessKeyId: '', secretAccessKey: '' };

const anonymous: ConnectionCredentials = {
  config: { credentials: nobody, signer: { sign: (request) => Promise.resolve(request) } },
  renewal: renewing(fixed(nobody), () => 0),
};

/** `undefined`: requests are not signed. */
function sourceOf(options: CredentialOptions, context: CredentialsContext): CredentialSource | undefined {
  const { clock = systemClock, aws = new AwsSettings(options.credentials) } = context;
  const regionAt = (endpoint: string | undefined) =>
    firstRegion({ region: options.region, custom: endpoint !== undefined, aws });
  const http = oneShotHandler(context.transport ?? transportOf({}, aws));
  const base = providerOf(options.credentials, { clock, aws, region: regionAt(context.endpoint), http });
  const role = options.assumeRole === undefined ? undefined : roleOf(options.assumeRole);
  if (role === undefined) {
    if (options.credentials === 'ASSUME_ROLE')
      throw new InvalidOption(
        's3.credentials',
        'ASSUME_ROLE',
        'accompanied by the role: give s3.assumeRole.arn',
      );
    return base;
  }
  if (base === undefined) return undefined;
  const endpoint = stsEndpoint('s3.assumeRole.endpoint', options.assumeRole?.endpoint, context.endpoint, aws);
  const sts = { endpoint, region: regionAt(endpoint), base, now: () => clock.now(), http };
  return new RefreshedCredentials(() => assumeRole(sts, role), clock);
}
