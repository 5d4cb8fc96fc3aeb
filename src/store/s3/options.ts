import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { MillraceError } from '../../errors.js';

/** Keys as the server hands them out. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When they stop working; a provider is asked again shortly before. */
  readonly expiration?: Date;
}

/** How to reach an S3 server. Everything has a default; on AWS usually nothing needs to be said. */
export interface S3Options {
  /** Default: the AWS chain (`AWS_REGION`, the profile in `~/.aws/config`); `us-east-1` for a custom endpoint without one. */
  readonly region?: string;
  /** `http(s)://host[:port]` of a server that is not AWS. Default: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, else AWS. */
  readonly endpoint?: string;
  /** Address buckets as `host/bucket` rather than `bucket.host`. Default: true with a custom endpoint. */
  readonly forcePathStyle?: boolean;
  /** Keys, or a function that provides them. Default: the AWS chain (environment, profile, SSO, container, instance). */
  readonly credentials?: S3Credentials | (() => Promise<S3Credentials>);
  /** Connections at the same time. Default 50. */
  readonly maxSockets?: number;
  /** Connections of their own for {@link S3Connection.reserved}. Default 4. */
  readonly reservedSockets?: number;
  /** Milliseconds to establish a connection. Default 60,000. */
  readonly connectionTimeout?: number;
  /** Milliseconds that a request may go without a byte in either direction before its answer starts. Default 60,000. */
  readonly requestTimeout?: number;
  /** Milliseconds that a body being read may stand still before the rest is asked for again. Default 10,000. */
  readonly idleTimeout?: number;
  /** How often one read asks again for the rest of a body that stalled or broke off. Default 5. */
  readonly bodyResumes?: number;
  /** `crc32`: bodies carry a checksum that the server verifies. Default: `crc32` on AWS, else `when-required`. */
  readonly checksum?: 'crc32' | 'when-required';
  /** Whether the SHA-256 of a body is signed. Default: `unsigned` over https, which protects it, else `signed`. */
  readonly payloadSigning?: 'signed' | 'unsigned';
}

export interface ResolvedOptions {
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  /** The endpoint is not one of AWS's own. */
  readonly custom: boolean;
  readonly forcePathStyle: boolean;
  readonly credentials: S3ClientConfig['credentials'];
  readonly maxSockets: number;
  readonly reservedSockets: number;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly idleTimeout: number;
  readonly bodyResumes: number;
  readonly crc32: boolean;
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
  const custom = url !== undefined && !/(^|\.)amazonaws\.com(\.cn)?$/.test(url.hostname);
  return {
    region: options.region,
    endpoint,
    custom,
    forcePathStyle: options.forcePathStyle ?? custom,
    credentials: options.credentials,
    maxSockets: positive('maxSockets', options.maxSockets, 50),
    reservedSockets: positive('reservedSockets', options.reservedSockets, 4),
    connectionTimeout: positive('connectionTimeout', options.connectionTimeout, 60_000),
    requestTimeout: positive('requestTimeout', options.requestTimeout, 60_000),
    idleTimeout: positive('idleTimeout', options.idleTimeout, 10_000),
    bodyResumes: options.bodyResumes ?? 5,
    crc32: (options.checksum ?? (custom ? 'when-required' : 'crc32')) === 'crc32',
    unsignedPayload:
      (options.payloadSigning ?? (url?.protocol === 'http:' ? 'signed' : 'unsigned')) === 'unsigned',
  };
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
