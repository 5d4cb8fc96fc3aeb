import { StoreError } from '../../errors.js';
import type { AssumeRoleOptions, S3Credentials } from '../../../config/s3Options.js';
import type { AwsSettings } from '../aws/settings.js';
import { HttpHandler } from '../httpHandler.js';
import type { Transport } from '../transport.js';
import { renewing } from './renewal.js';
import { fixed, type CredentialSource } from './source.js';
import { readableDates } from '../dates.js';
import { byLocalClock, byServerTime } from '../serverTime.js';
import { stsError } from './stsErrors.js';

/** How to reach STS, and the credentials to sign with. */
export interface Sts {
  /** Default: AWS's in the region. */
  readonly endpoint: string | undefined;
  readonly region: string | (() => Promise<string>);
  readonly base: CredentialSource;
  readonly now: () => number;
  /** Makes a handler for one exchange; it is destroyed afterwards. */
  readonly http: () => HttpHandler;
}

/** The environment of a provider that may use STS. */
export interface ProviderContext extends Omit<Sts, 'base' | 'endpoint'> {
  readonly aws: AwsSettings;
}

/** Milliseconds. */
const timeouts = { connectionTimeout: 10_000, requestTimeout: 60_000, idleTimeout: 60_000 };

/** Makes handlers for one exchange each: requests are too rare to keep sockets. */
export function oneShotHandler(transport: Transport): () => HttpHandler {
  return () => new HttpHandler(4, timeouts, transport);
}

/** A token, as the SDK's providers pass it. */
export interface WebIdentity {
  readonly RoleArn: string | undefined;
  readonly RoleSessionName: string | undefined;
  readonly WebIdentityToken: string | undefined;
  readonly DurationSeconds?: number | undefined;
}

/** The validated parameters of AssumeRole. */
export interface Role extends Pick<AssumeRoleOptions, 'arn' | 'externalId'> {
  readonly sessionName: string;
  readonly seconds: number;
}

/** A session under a role. Errors: `PermissionDenied`, `Expired` (the base credentials), `Throttled`, `Unavailable`, `InvalidRequest`. */
export function assumeRole(sts: Sts, role: Role): Promise<S3Credentials> {
  return ask(sts, `AssumeRole ${role.arn}`, 'sts:AssumeRole', async (client, { AssumeRoleCommand }) => {
    const input = {
      RoleArn: role.arn,
      RoleSessionName: role.sessionName,
      DurationSeconds: role.seconds,
      ...(role.externalId === undefined ? {} : { ExternalId: role.externalId }),
    };
    return (await client.send(new AssumeRoleCommand(input))).Credentials;
  });
}

/** A session under a role for the bearer of a token of an identity provider. Errors: as {@link assumeRole}. */
export function assumeRoleWithWebIdentity(
  sts: Omit<Sts, 'base'>,
  { RoleArn, RoleSessionName, WebIdentityToken, DurationSeconds }: WebIdentity,
): Promise<S3Credentials> {
  const action = 'sts:AssumeRoleWithWebIdentity';
  const input = { RoleArn, RoleSessionName, WebIdentityToken, DurationSeconds };
  return ask(
    { ...sts, base: fixed({ accessKeyId: '', secretAccessKey: '' }) },
    `AssumeRoleWithWebIdentity ${RoleArn ?? ''}`,
    action,
    async (client, { AssumeRoleWithWebIdentityCommand }) =>
      (await client.send(new AssumeRoleWithWebIdentityCommand(input))).Credentials,
  );
}

/** A session of the caller itself. Errors: as {@link assumeRole}. */
export function sessionToken(
  sts: Sts,
  seconds: number | undefined,
  abortSignal: AbortSignal,
): Promise<S3Credentials> {
  return ask(sts, 'GetSessionToken', 'sts:GetSessionToken', async (client, { GetSessionTokenCommand }) => {
    const input = seconds === undefined ? {} : { DurationSeconds: seconds };
    return (await client.send(new GetSessionTokenCommand(input), { abortSignal })).Credentials;
  });
}

const load = () => import('@aws-sdk/client-sts');

type Sdk = Awaited<ReturnType<typeof load>>;
type Client = InstanceType<Sdk['STSClient']>;

interface Answer {
  readonly AccessKeyId?: string | undefined;
  readonly SecretAccessKey?: string | undefined;
  readonly SessionToken?: string | undefined;
  readonly Expiration?: Date | undefined;
}

/** Requests are rare, so each has its own client and keeps no socket open. */
async function ask(
  { endpoint, region, base, now, http }: Sts,
  what: string,
  action: string,
  exchange: (client: Client, sdk: Sdk) => Promise<Answer | undefined>,
): Promise<S3Credentials> {
  const sdk = await load();
  const client = new sdk.STSClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    credentials: Object.assign(() => base.get(), { memoized: true }),
    maxAttempts: 1,
    requestHandler: http(),
  });
  // The plugins are typed for S3's commands, but only look at command names.
  for (const plugin of [renewing(base, now), byServerTime(client), readableDates])
    client.middlewareStack.use(plugin as unknown as Parameters<Client['middlewareStack']['use']>[0]);
  try {
    const answer = await exchange(client, sdk);
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer ?? {};
    if (AccessKeyId === undefined || SecretAccessKey === undefined || SessionToken === undefined)
      throw new StoreError('NotSupported', `${what}: no credentials came back. Check the STS endpoint.`);
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      ...(Expiration === undefined ? {} : { expiration: byLocalClock(Expiration, client) }),
    };
  } catch (error) {
    throw stsError(error, what, action);
  } finally {
    client.destroy();
  }
}
