import { Observable, ReplaySubject, share, Subscription } from 'rxjs';
import { checkOptions, type OptionNames } from '../../../config/checkOptions.js';
import { isRetryable, MillraceError } from '../../../errors.js';
import { hideValues } from '../../../config/secrets.js';
import type { S3Credentials, S3Options } from '../../../config/s3Options.js';
import { InvalidOption, type Duration } from '../../../config/units.js';
import { backoffDelay, halfJitter, type Backoff } from '../../../flow/backoff.js';
import { systemClock, type Clock } from '../../../flow/index.js';
import { AwsSettings } from '../aws/settings.js';
import { resolveOptions } from '../options.js';
import { firstRegion } from '../region.js';
import { transportOf } from '../transport.js';
import { providerOf } from './providers.js';
import { secondsOf, stsEndpoint } from './role.js';
import { oneShotHandler, sessionToken, type Sts } from './sts.js';

/** Session keys for workers that must not hold long-lived keys. Secrets do not appear in `inspect` and JSON. */
export interface DelegationToken extends Required<S3Credentials> {
  readonly service: 's3-native';
}

export interface DelegationTokensOptions {
  /** `false`: the Observable completes without a token. Default true. */
  readonly enabled?: boolean;
  /** Long-lived keys that tokens are obtained with. Default: those of `s3`. */
  readonly credentials?: S3Options['credentials'];
  /** The region of STS. Default: that of `s3`. */
  readonly region?: string;
  /** Default: AWS's STS in the region; the S3 endpoint of `s3` for other servers. */
  readonly endpoint?: string;
  /** Used where the options above are not set. */
  readonly s3?: Pick<
    S3Options,
    'credentials' | 'region' | 'endpoint' | 'proxy' | 'noProxy' | 'caBundle' | 'agent'
  >;
  /** The lifetime of a token: 900 s to 36 h; a number is in seconds. Default: STS's (AWS: 12 h). */
  readonly duration?: Duration;
  /** The fraction of a token's lifetime after which the next one is obtained, between 0 and 1. Default 0.75. */
  readonly renewalRatio?: number;
  /** Called with every failure that is retried, and the milliseconds until then. Default: no call. */
  readonly onFailure?: (error: unknown, retryIn: number) => void;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

const names: OptionNames<DelegationTokensOptions> = {
  enabled: true,
  credentials: true,
  region: true,
  endpoint: true,
  s3: true,
  duration: true,
  renewalRatio: true,
  onFailure: true,
  clock: true,
  random: true,
};

/** Between attempts: 0.5 to 1 times `first` × 2^n, at most `max`. Milliseconds. */
const renewal: Backoff = { first: 1000, max: 5 * 60_000, spread: halfJitter };

/** Milliseconds. A longer timer of Node fires immediately. */
const longest = 2 ** 31 - 1;

/**
 * Session tokens for workers, by STS GetSessionToken: one on subscribe, the next after a fraction of each token's lifetime.
 * Subscribers share them, and late ones get the newest immediately; the timer ends with the last subscriber.
 *
 * Failures are retried after one second at first, and five minutes at most. Errors, while there is no valid token: those
 * that are not retryable (`PermissionDenied`, `InvalidRequest`), and `TemporaryCredentials`, since STS issues session tokens
 * only for long-lived keys. Throws `InvalidOption`.
 *
 * @example
 * ```ts
 * import { Worker } from 'node:worker_threads';
 *
 * const { delegationTokens: options, s3 } = loadConfig();
 * const tokens$ = delegationTokens({ ...options, enabled: true, s3 });
 * const worker = new Worker(new URL('worker.js', import.meta.url));
 * sendTokens(tokens$, worker).subscribe();
 * ```
 */
export function delegationTokens(options: DelegationTokensOptions = {}): Observable<DelegationToken> {
  checkOptions('delegationTokens', options, names);
  const { clock = systemClock, random = Math.random, renewalRatio = 0.75, enabled = true } = options;
  if (!(renewalRatio > 0 && renewalRatio < 1))
    throw new InvalidOption('delegationTokens.renewalRatio', renewalRatio, 'a number between 0 and 1');
  const seconds =
    options.duration === undefined
      ? undefined
      : secondsOf('delegationTokens.duration', options.duration, 129_600);
  const sts = stsOf(options, clock);

  const tokens = new Observable<DelegationToken>((out) => {
    let held: DelegationToken | undefined;
    let failures = 0;
    let next: Subscription = Subscription.EMPTY;
    const ask = (): void => {
      next = obtained(sts, seconds).subscribe({ next: got, error: failed });
    };
    const got = (token: DelegationToken): void => {
      held = token;
      failures = 0;
      const life = token.expiration.getTime() - clock.now();
      next = clock.after(Math.min(Math.max(life * renewalRatio, 1000), longest), ask);
      out.next(token);
    };
    const failed = (error: unknown): void => {
      const holds = held !== undefined && held.expiration.getTime() > clock.now();
      if (!holds && !isRetryable(error)) {
        out.error(error);
        return;
      }
      const delay = backoffDelay(renewal, ++failures, random());
      next = clock.after(delay, ask);
      options.onFailure?.(error, delay);
    };
    if (enabled) ask();
    else out.complete();
    return () => next.unsubscribe();
  });
  return tokens.pipe(share({ connector: () => new ReplaySubject(1) }));
}

/** A token that does not print its secrets. */
export function token(credentials: Required<S3Credentials>): DelegationToken {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  const service = 's3-native' as const;
  return hideValues({ service, accessKeyId, secretAccessKey, sessionToken, expiration }, [
    'secretAccessKey',
    'sessionToken',
  ]);
}

function obtained(sts: Sts, seconds: number | undefined): Observable<DelegationToken> {
  return new Observable((out) => {
    const abort = new AbortController();
    obtain(sts, seconds, abort.signal).then(
      (it) => {
        out.next(it);
        out.complete();
      },
      (error: unknown) => out.error(error),
    );
    return () => abort.abort();
  });
}

async function obtain(sts: Sts, seconds: number | undefined, signal: AbortSignal): Promise<DelegationToken> {
  if ((await sts.base.get()).sessionToken !== undefined) throw temporary();
  const session = await sessionToken(sts, seconds, signal);
  const { sessionToken: text, expiration } = session;
  if (text === undefined || expiration === undefined)
    throw new MillraceError(
      'InvalidCredentials',
      'STS returned a session without an expiration: check its endpoint.',
    );
  return token({ ...session, sessionToken: text, expiration });
}

function stsOf(options: DelegationTokensOptions, clock: Clock): Sts {
  const { s3 = {} } = options;
  const credentials = options.credentials ?? s3.credentials;
  const aws = new AwsSettings(credentials);
  const regionAt = (custom: boolean) => firstRegion({ region: options.region ?? s3.region, custom, aws });
  const http = oneShotHandler(transportOf(s3, aws));
  const server = resolveOptions(s3.endpoint === undefined ? {} : { endpoint: s3.endpoint }, aws);
  const base = providerOf(credentials, { clock, aws, region: regionAt(server.custom), http });
  if (base === undefined)
    throw new InvalidOption(
      'delegationTokens.credentials',
      'ANONYMOUS',
      'keys that last, or a way to find them',
    );
  const beside = server.custom ? server.endpoint : undefined;
  const endpoint = stsEndpoint('delegationTokens.endpoint', options.endpoint, beside, aws);
  const region = regionAt(endpoint !== undefined);
  return { endpoint, region, base, now: () => clock.now(), http };
}

const temporary = (): MillraceError =>
  new MillraceError(
    'TemporaryCredentials',
    'Session tokens cannot be obtained with temporary credentials (those of a role, a session or an instance): give `delegationTokens` the access key of a user, or leave the tokens out and let workers assume the role themselves.',
  );
