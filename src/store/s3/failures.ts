/**
 * Explains a missing or unreadable response: whether a retry may help, and if not, what does.
 *
 * Network errors are temporary, so they are `Unavailable`. Everything else (a certificate, a port, a name, a header) is a
 * configuration error, which a retry does not fix.
 */
import type { StoreErrorCode } from '../errors.js';

export interface Failure {
  /** Of the response, if there was one. */
  readonly status: number | undefined;
  /** The server itself reported an error. */
  readonly refused: boolean;
  readonly name: string;
  readonly text: string;
  /** Node's or the system's error code, such as `ECONNRESET`. */
  readonly code: string | undefined;
}

export interface Reason {
  readonly code: StoreErrorCode;
  /** Absent if retrying is the only advice. */
  readonly advice?: string;
}

/** Why there is no readable response; `undefined` if the response is readable. */
export function reasonOf(failure: Failure): Reason | undefined {
  const { status, refused } = failure;
  if (status === undefined) return unanswered(failure);
  return status < 300 && !refused ? unreadable(failure) : undefined;
}

/** The error of a truncated body. */
export function brokenOff(): Error {
  return Object.assign(new Error('The connection was closed'), { code: 'ECONNRESET' });
}

function unanswered({ name, text, code }: Failure): Reason {
  if (code === undefined)
    return name === 'TimeoutError' || name === 'AbortError'
      ? away
      : { code: 'InvalidRequest', advice: advised(name, text) };
  if (passing.test(code)) return away;
  const lasting = lastingReasons.find(([pattern]) => pattern.test(code));
  if (lasting !== undefined) return { code: 'InvalidRequest', advice: lasting[1](text) };
  return code.startsWith('ERR_')
    ? {
        code: 'InvalidRequest',
        advice:
          'The request cannot be sent as it is: check the endpoint, the region and the credentials for stray characters',
      }
    : away;
}

/** A success whose body could not be parsed; the request may have taken effect. */
function unreadable({ code }: Failure): Reason {
  // The connection broke.
  if (code !== undefined) return away;
  return {
    code: 'NotSupported',
    advice:
      'The response is not from S3, or was damaged by a proxy: check that the endpoint is an S3 server, and any proxy in between',
  };
}

const away: Reason = { code: 'Unavailable' };

/** Codes of a lost connection. */
const passing = /^ERR_(SSL_.*(BAD_RECORD_MAC|UNEXPECTED_EOF|INTERNAL_ERROR|DECRYPT)|STREAM_|SOCKET_C)/;

const lastingReasons: readonly (readonly [RegExp, (text: string) => string])[] = [
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$|^HOSTNAME_MISMATCH$/,
    () =>
      'The certificate is another host’s: use the host name that it was issued for as the endpoint; where the bucket’s name is part of the host, set `s3.path-style-access` (in code, `forcePathStyle`)',
  ],
  [
    /^CERT_HAS_EXPIRED$|^CERT_NOT_YET_VALID$/,
    () => 'The server’s certificate is not valid today: renew it there, and check the clock of this machine',
  ],
  [
    /^CERT_|SELF_SIGNED|^UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)|^INVALID_(CA|PURPOSE)$|^(CRL|ERROR_IN_C)|^PATH_LENGTH_EXCEEDED$/,
    () =>
      'The server’s certificate is not trusted: have `s3.ca-bundle` (in code, `caBundle`) or NODE_EXTRA_CA_CERTS name a PEM file with the certificate of its CA, or with its own if it is self-signed',
  ],
  [
    /^EPROTO$|^ERR_SSL_/,
    (text) =>
      /wrong version number|packet length too long|http request|WRONG_VERSION/i.test(text)
        ? 'This port does not speak TLS: use http:// in the endpoint, or the port for https'
        : 'The server and this machine cannot agree on TLS: check the endpoint, its protocol versions and ciphers, and whether it wants a client certificate',
  ],
  [
    /^ERR_INVALID_CHAR$|^ERR_HTTP_INVALID_HEADER_VALUE$|^ERR_INVALID_HTTP_TOKEN$/,
    (text) =>
      /authorization|security-token/i.test(text)
        ? 'The credentials hold a character that no header can carry, such as a line end: check how they are read'
        : 'A header cannot carry this value: check metadata, storage class, encryption and region for line ends and characters beyond ASCII',
  ],
  [/^EACCES$|^EPERM$/, () => 'This machine does not allow the connection: check its firewall and sandbox'],
  [
    /^EAFNOSUPPORT$|^EINVAL$|^EPROTONOSUPPORT$/,
    () => 'The address of the endpoint cannot be used on this machine: check it',
  ],
];

/** Advice for errors that the SDK throws before it sends anything. */
function advised(name: string, text: string): string {
  if (/accelerate/i.test(text))
    return 'Accelerated hosts do not take this bucket: leave `s3.transfer-acceleration.enabled` (in code, `accelerate`) out, or use a bucket without dots in its name';
  if (name === 'EndpointError' || name === 'InvalidBucketName' || /bucket name|endpoint/i.test(text))
    return 'No address can be made of this bucket, region and endpoint: check them';
  return 'The request cannot be made as it is';
}
