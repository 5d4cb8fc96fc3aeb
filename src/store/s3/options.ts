import { MillraceError } from '../../errors.js';
import { parseDuration, type Duration } from '../../config/units.js';
import type { BucketOptions, S3Options } from '../../config/s3Options.js';
import { isAws, resolveWire, type WireOptions } from './wire.js';

export type { S3Credentials, S3Options } from '../../config/s3Options.js';

export interface ResolvedOptions extends WireOptions {
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  /** The endpoint is not one of AWS's own. */
  readonly custom: boolean;
  readonly forcePathStyle: boolean;
  readonly credentials: BucketOptions['credentials'];
  readonly assumeRole: BucketOptions['assumeRole'];
  readonly maxSockets: number;
  readonly reservedSockets: number;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly idleTimeout: number;
  readonly lowTimeout: number;
  readonly highTimeout: number;
  readonly bodyResumes: number;
  readonly unsignedPayload: boolean;
}

/** Fills in the defaults. Throws `InvalidS3Options`. */
export function resolveOptions(
  options: S3Options,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ResolvedOptions {
  const endpoint =
    options.endpoint ?? nonEmpty(env['AWS_ENDPOINT_URL_S3']) ?? nonEmpty(env['AWS_ENDPOINT_URL']);
  const url = endpoint === undefined ? undefined : parseEndpoint(endpoint);
  const custom = url !== undefined && !isAws(url.hostname);
  return {
    ...resolveWire(options, custom, endpoint),
    region: options.region,
    endpoint,
    custom,
    forcePathStyle: options.forcePathStyle ?? custom,
    credentials: options.credentials,
    assumeRole: options.assumeRole,
    maxSockets: positive('maxSockets', options.maxSockets, 50),
    reservedSockets: positive('reservedSockets', options.reservedSockets, 4),
    connectionTimeout: duration('connectionTimeout', options.connectionTimeout, 60_000),
    requestTimeout: duration('requestTimeout', options.requestTimeout, 60_000),
    idleTimeout: duration('idleTimeout', options.idleTimeout, 10_000),
    lowTimeout: duration('lowTimeout', options.lowTimeout, 60_000),
    highTimeout: duration('highTimeout', options.highTimeout, 300_000),
    bodyResumes: options.bodyResumes ?? 5,
    unsignedPayload:
      (options.payloadSigning ?? (url?.protocol === 'http:' ? 'signed' : 'unsigned')) === 'unsigned',
  };
}

function duration(name: string, value: Duration | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const ms = positive(name, parseDuration(name, value), fallback);
  // A timer that is set further ahead fires at once.
  if (ms >= 2 ** 31) throw invalid(`${name} must be at most 24 days, not ${ms} ms`);
  return ms;
}

function parseEndpoint(endpoint: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(endpoint);
  } catch {
    // Said below, without the text: it may hold a password.
  }
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw invalid('endpoint must be a URL such as https://s3.example.com:9000');
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('endpoint must not hold a user or password; give keys as `credentials`');
  }
  return url;
}

function positive(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || value < 1)
    throw invalid(`${name} must be a whole number above 0, not ${value}`);
  return value;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function invalid(message: string): MillraceError {
  return new MillraceError('InvalidS3Options', `S3 options: ${message}.`);
}
