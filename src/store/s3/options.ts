import { MillraceError } from '../../errors.js';
import { parseDuration, type Duration } from '../../config/units.js';
import type { BucketOptions, S3Options } from '../../config/s3Options.js';
import { isDirectoryBucket } from '../../path/index.js';
import { AwsSettings, type Configured } from './aws/settings.js';
import { checkAgent, transportOf, type Transport } from './transport.js';
import { isAws, resolveWire, type WireOptions } from './wire.js';

export type { S3Credentials, S3Options } from '../../config/s3Options.js';

export interface ResolvedOptions extends WireOptions {
  readonly aws: AwsSettings;
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
  readonly transport: Transport;
}

/** Fills in AWS's environment and files, then the defaults. Throws `InvalidS3Options`. */
export function resolveOptions(
  options: S3Options,
  aws: AwsSettings = new AwsSettings(options.credentials),
): ResolvedOptions {
  const configured =
    options.endpoint === undefined ? aws.endpoint('s3') : { value: options.endpoint, where: 'endpoint' };
  const endpoint = configured?.value;
  const url = configured === undefined ? undefined : parseEndpoint(configured);
  const custom = url !== undefined && !isAws(url.hostname);
  return {
    ...resolveWire(options, custom, url),
    aws,
    region: options.region,
    endpoint,
    custom,
    forcePathStyle: options.forcePathStyle ?? custom,
    credentials: options.credentials,
    assumeRole: options.assumeRole,
    ...socketsOf(options),
    connectionTimeout: duration('connectionTimeout', options.connectionTimeout, 60_000),
    requestTimeout: duration('requestTimeout', options.requestTimeout, 60_000),
    idleTimeout: duration('idleTimeout', options.idleTimeout, 10_000),
    lowTimeout: duration('lowTimeout', options.lowTimeout, 60_000),
    highTimeout: duration('highTimeout', options.highTimeout, 300_000),
    bodyResumes: options.bodyResumes ?? 5,
    unsignedPayload:
      (options.payloadSigning ?? (url?.protocol === 'http:' ? 'signed' : 'unsigned')) === 'unsigned',
    transport: transportOf(options, aws),
  };
}

function socketsOf(options: S3Options): Pick<ResolvedOptions, 'maxSockets' | 'reservedSockets'> {
  const maxSockets = positive('maxSockets', options.maxSockets, 50);
  const reservedSockets = positive('reservedSockets', options.reservedSockets, 4);
  checkAgent(options, maxSockets + reservedSockets);
  return { maxSockets, reservedSockets };
}

function duration(name: string, value: Duration | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  const ms = positive(name, parseDuration(name, value), fallback);
  // A longer timer of Node fires immediately.
  if (ms >= 2 ** 31) throw invalid(`${name} must be at most 24 days, not ${ms} ms`);
  return ms;
}

/** Errors name the setting, never its value, which may hold a password. */
function parseEndpoint({ value, where }: Configured): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw invalid(`${where} must be a URL such as https://s3.example.com:9000`);
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(`${where} must not hold a user or password; give keys as \`credentials\``);
  }
  const express = (label: string): boolean => isDirectoryBucket(label) || /^s3express(-|$)/i.test(label);
  if (url.hostname.split('.').some(express))
    throw invalid(
      `${where} is that of directory buckets (S3 Express One Zone), which are not supported: use a general purpose bucket`,
    );
  if (url.search !== '' || url.hash !== '') throw invalid(`${where} must not hold a query or a fragment`);
  return url;
}

function positive(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || value < 1)
    throw invalid(`${name} must be a whole number above 0, not ${value}`);
  return value;
}

function invalid(message: string): MillraceError {
  return new MillraceError('InvalidS3Options', `S3 options: ${message}.`);
}
