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
import { seldom } from './http.js';
import { providerOf } from './providers.js';
import { secondsOf, stsEndpoint } from './role.js';
import { sessionToken, type Sts } from './sts.js';

/** Keys of a session, for those that are not to hold the keys that last. What is secret shows in no `inspect` and no JSON. */
export interface DelegationToken extends Required<S3Credentials> {
  readonly service: 's3-native';
}

export interface DelegationTokensOptions {
  /** `false`: there are none, and the Observable completes. Default true. */
  readonly enabled?: boolean;
  /** What tokens are obtained with; keys that last. Default: those of `s3`. */
  readonly credentials?: S3Options['credentials'];
  /** The region whose STS is asked. Default: that of `s3`. */
  readonly region?: string;
  /** Default: AWS's STS in the region; the S3 endpoint of `s3` for other servers. */
  readonly endpoint?: string;
  /** What is not said above. */
  readonly s3?: Pick<
    S3Options,
    'credentials' | 'region' | 'endpoint' | 'proxy' | 'noProxy' | 'caBundle' | 'agent'
  >;
  /** Of a token: 900 s to 36 h; a number is seconds. Default: what STS gives (AWS: 12 h). */
  readonly duration?: Duration;
  /** The share of a token's life after which the next one is obtained, between 0 and 1. Default 0.75. */
  readonly renewalRatio?: number;
  /** Sees every failure that is followed by another try, in so many milliseconds. Default: nobody does. */
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

/** Waits between tries: 0.5 to 1 of base × 2^n, at most the cap. Milliseconds. */
const renewal: Backoff = { first: 1000, max: 5 * 60_000, spread: halfJitter };

/** A timer of the machine's clock that is set further ahead fires at once. */
const longest = 2 ** 31 - 1;

/**
 * Session tokens for workers, by STS GetSessionToken: one on subscribe, the next each time a share of the last one's life
 * has passed. Subscribers share them, and late ones get the newest at once; when the last one goes, so does the timer.
 *
 * A failure is followed by another try, after a second at first and five minutes at most. Errors, while there is no token
 * that holds: what no other try would fix (`PermissionDenied`, `InvalidRequest`), and `TemporaryCredentials`, since
 * STS gives session tokens only to keys that last. Throws `InvalidOption`.
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

/** A token of these values that shows none of its secrets. */
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
    throw new MillraceError('InvalidCredentials', 'STS gave a session without an end: check its endpoint.');
  return token({ ...session, sessionToken: text, expiration });
}

function stsOf(options: DelegationTokensOptions, clock: Clock): Sts {
  const { s3 = {} } = options;
  const credentials = options.credentials ?? s3.credentials;
  const aws = new AwsSettings(credentials);
  const regionAt = (custom: boolean) => firstRegion({ region: options.region ?? s3.region, custom, aws });
  const http = seldom(transportOf(s3, aws));
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
