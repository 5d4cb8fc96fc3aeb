/**
 * Who asks: the credentials of a connection, by the provider that its options name, kept fresh.
 *
 * Credentials are asked for when the first request needs them (`providers.ts`). Where they end, they are replaced before
 * (`source.ts`), and again when a server refuses them as expired: the command that met this is repeated with new ones
 * (`renewal.ts`), so that an upload of many hours outlives any number of sessions. A role's session is had from STS with
 * the base credentials (`sts.ts`); STS is at the S3 endpoint for servers that are not AWS, unless said otherwise.
 *
 * `delegationTokens` keeps a session of long-lived keys that a process hands to its workers (`handover.ts`), which then
 * hold no secret that lasts.
 *
 * Secrets are in this room's closures, private fields and requests, nowhere else: what a server or a user's function says
 * about a failure goes out without them (`redact.ts`).
 */
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { BucketOptions } from '../../../config/s3Options.js';
import { systemClock, type Clock } from '../../../flow/index.js';
import { InvalidOption } from '../../../config/units.js';
import { AwsSettings } from '../aws/settings.js';
import { firstRegion } from '../region.js';
import { transportOf, type Transport } from '../transport.js';
import { seldom } from './http.js';
import { providerOf } from './providers.js';
import { renewing } from './renewal.js';
import { roleOf, stsEndpoint } from './role.js';
import { fixed, RefreshedCredentials, type CredentialSource } from './source.js';
import { assumeRole } from './sts.js';

export {
  deserializeToken,
  receivedTokens,
  sendTokens,
  serializeToken,
  type ReceivedTokensOptions,
  type SerializedToken,
} from './handover.js';
export { delegationTokens, type DelegationToken, type DelegationTokensOptions } from './tokens.js';

/** The options that say who asks. */
export interface CredentialOptions {
  readonly credentials?: BucketOptions['credentials'] | undefined;
  readonly assumeRole?: BucketOptions['assumeRole'] | undefined;
  readonly region?: string | undefined;
}

/** What the choice of credentials depends on besides the options. */
export interface CredentialsContext {
  /** Of a server that is not AWS. */
  readonly endpoint?: string | undefined;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Default: as the environment and the files of this process have it. */
  readonly aws?: AwsSettings;
  /** Default: as the environment and the files of this process have it. */
  readonly transport?: Transport;
}

/** A connection's credentials, shared by all of its clients. */
export interface ConnectionCredentials {
  /** Belongs into the client's configuration. */
  readonly config: {
    readonly credentials: NonNullable<S3ClientConfig['credentials']>;
    readonly signer?: NonNullable<S3ClientConfig['signer']>;
  };
  /** Belongs into the client's middleware: repeats what met expired credentials. */
  readonly renewal: ReturnType<typeof renewing>;
}

/**
 * The credentials that options ask for. Nothing is asked before the first request. Where `ANONYMOUS` is asked for, no role
 * is assumed either: a bucket that is read so may stand beside others that need one. Throws `InvalidOption`.
 */
export function credentialsOf(
  options: CredentialOptions,
  context: CredentialsContext = {},
): ConnectionCredentials {
  const { clock = systemClock } = context;
  const source = sourceOf(options, context);
  if (source === undefined) return anonymous;
  return {
    // Memoized: it is, here; the SDK would go on with what it has for as long as that holds by its own account.
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
  const http = seldom(context.transport ?? transportOf({}, aws));
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
