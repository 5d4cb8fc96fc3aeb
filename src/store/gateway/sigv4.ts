import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { S3Credentials } from '../s3/options.js';
import { GatewayError } from './errors.js';
import type { Target } from './target.js';

/** AWS's limit, in milliseconds. */
const largestSkew = 15 * 60_000;

const emptyHash = sha256('');

/** A request with a valid signature. It verifies the signatures of the body, too. */
export interface Authorized {
  /** The credentials that signed it. */
  readonly caller: S3Credentials;
  /** `x-amz-content-sha256`: the body's hash, or the form of its signature. */
  readonly payload: string;
  /** Verifies the signature of the next chunk of a signed `aws-chunked` body. Throws `SignatureDoesNotMatch`. */
  chunk(data: Buffer, signature: string): void;
  /** Verifies the signature over the trailers. */
  trailer(canonical: string, signature: string): void;
}

/** Verifies AWS Signature Version 4 in the `Authorization` header. */
export class SigV4Verifier {
  readonly #credentials: Map<string, S3Credentials>;
  readonly #region: string | undefined;
  readonly #now: () => number;
  /** The signing key of a day, cached since deriving it takes four HMACs. */
  #derived: { readonly id: string; readonly key: Buffer } | undefined;

  constructor(credentials: readonly S3Credentials[], region: string | undefined, now: () => number) {
    this.#credentials = new Map(credentials.map((one) => [one.accessKeyId, one]));
    this.#region = region;
    this.#now = now;
  }

  /** Accepts these credentials from now on. */
  add(credentials: S3Credentials): void {
    this.#credentials.set(credentials.accessKeyId, credentials);
  }

  verify(request: IncomingMessage, target: Target, expected: 's3' | 'sts' = 's3'): Authorized {
    const { accessKeyId, scope, signedHeaders, signature } = parse(request.headers.authorization);
    const [day, region, service] = scope.split('/') as [string, string, string];
    if (service !== expected) throw malformed(`The service is ${expected}, not ${service}`);
    if (this.#region !== undefined && region !== this.#region) {
      throw malformed(`The region '${region}' is wrong; expecting '${this.#region}'`, this.#region);
    }
    const credentials = this.#credentials.get(accessKeyId);
    if (credentials === undefined) {
      throw new GatewayError(
        403,
        'InvalidAccessKeyId',
        'The AWS Access Key Id you provided does not exist in our records.',
      );
    }
    const date = this.#dateOf(request, day);
    const payload = header(request, 'x-amz-content-sha256');
    if (payload === undefined) {
      throw new GatewayError(
        400,
        'InvalidRequest',
        'Missing required header for this request: x-amz-content-sha256',
      );
    }
    checkSigned(request, signedHeaders);
    const canonical = [
      request.method,
      target.canonicalPath,
      target.canonicalQuery,
      ...signedHeaders.map((name) => `${name}:${canonicalValue(request, name)}`),
      '',
      signedHeaders.join(';'),
      payload,
    ].join('\n');
    const key = this.#key(credentials.secretAccessKey, day, region, service);
    const sign = (text: string): string => createHmac('sha256', key).update(text, 'latin1').digest('hex');
    demand(sign(`AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`), signature);
    this.#checkToken(request, credentials);
    let previous = signature;
    const chained = (kind: string, hashes: string, given: string): void => {
      demand(sign(`AWS4-HMAC-SHA256-${kind}\n${date}\n${scope}\n${previous}\n${hashes}`), given);
      previous = given;
    };
    return {
      caller: credentials,
      payload,
      chunk: (data, given) => chained('PAYLOAD', `${emptyHash}\n${sha256(data)}`, given),
      trailer: (text, given) => chained('TRAILER', sha256(text), given),
    };
  }

  #dateOf(request: IncomingMessage, day: string): string {
    const date = header(request, 'x-amz-date') ?? '';
    const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date);
    if (match === null || !date.startsWith(day)) {
      throw new GatewayError(403, 'AccessDenied', 'AWS authentication requires a valid x-amz-date header');
    }
    const [, year, month, dom, hour, minute, second] = match;
    const time = Date.parse(
      `${year ?? ''}-${month ?? ''}-${dom ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}Z`,
    );
    if (!(Math.abs(this.#now() - time) <= largestSkew)) {
      throw new GatewayError(
        403,
        'RequestTimeTooSkewed',
        'The difference between the request time and the current time is too large.',
      );
    }
    return date;
  }

  #checkToken(request: IncomingMessage, credentials: S3Credentials): void {
    if (header(request, 'x-amz-security-token') !== credentials.sessionToken) {
      throw new GatewayError(403, 'InvalidToken', 'The provided token is malformed or otherwise invalid.');
    }
    if (credentials.expiration !== undefined && credentials.expiration.getTime() <= this.#now()) {
      throw new GatewayError(400, 'ExpiredToken', 'The provided token has expired.');
    }
  }

  #key(secret: string, day: string, region: string, service: string): Buffer {
    const id = sha256(`${secret}\n${day}\n${region}\n${service}`);
    if (this.#derived?.id !== id) {
      let key: Buffer | string = `AWS4${secret}`;
      for (const step of [day, region, service, 'aws4_request'])
        key = createHmac('sha256', key).update(step).digest();
      this.#derived = { id, key: key as Buffer };
    }
    return this.#derived.key;
  }
}

function parse(authorization: string | undefined): {
  readonly accessKeyId: string;
  readonly scope: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
} {
  if (authorization === undefined) throw new GatewayError(403, 'AccessDenied', 'Access Denied');
  const match =
    /^AWS4-HMAC-SHA256 +Credential=([^/,]+)\/(\d{8}\/[^/,]+\/[^/,]+\/aws4_request), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  if (match === null) throw malformed('The authorization header is not one of AWS4-HMAC-SHA256');
  const [, accessKeyId = '', scope = '', signedHeaders = '', signature = ''] = match;
  return { accessKeyId, scope, signedHeaders: signedHeaders.split(';'), signature };
}

function malformed(message: string, region?: string): GatewayError {
  return new GatewayError(
    400,
    'AuthorizationHeaderMalformed',
    `The authorization header is malformed; ${message}.`,
    region === undefined ? {} : { 'x-amz-bucket-region': region },
    region === undefined ? {} : { Region: region },
  );
}

/** Headers that change a request's meaning must be signed. */
function checkSigned(request: IncomingMessage, signed: readonly string[]): void {
  const names = new Set(signed);
  const open = Object.keys(request.headers).filter((name) => name.startsWith('x-amz-') && !names.has(name));
  if (!names.has('host') || open.length > 0) {
    throw new GatewayError(
      403,
      'AccessDenied',
      `There were headers present in the request which were not signed: ${open.join(', ') || 'host'}`,
    );
  }
}

function canonicalValue(request: IncomingMessage, name: string): string {
  return (request.headersDistinct[name] ?? []).map((value) => value.trim().replace(/ +/g, ' ')).join(',');
}

function demand(expected: string, given: string): void {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  if (a.length === b.length && timingSafeEqual(a, b)) return;
  throw new GatewayError(
    403,
    'SignatureDoesNotMatch',
    'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  );
}

export function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

export function sha256(data: string | Buffer): string {
  const hash = createHash('sha256');
  return (typeof data === 'string' ? hash.update(data, 'latin1') : hash.update(data)).digest('hex');
}
