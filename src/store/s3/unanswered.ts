/**
 * Why no answer came, or none that could be read: whether another try may help, and if not, what does.
 *
 * The network comes back, so its errors are `Unavailable`. Everything else says that something is set wrong here or
 * there (a certificate, a port, a name, a header), and stays so however often it is tried.
 */
import type { StoreErrorCode } from '../errors.js';

/** What is known of a failure. */
export interface Failure {
  /** Of the answer, if there was one. */
  readonly status: number | undefined;
  /** The server itself called it an error. */
  readonly refused: boolean;
  readonly name: string;
  readonly text: string;
  /** Of Node or of the system, such as `ECONNRESET`. */
  readonly code: string | undefined;
}

export interface Reason {
  readonly code: StoreErrorCode;
  /** Absent where trying again is all there is to do. */
  readonly advice?: string;
}

/** Why there is no answer, or none that could be read; `undefined` where the answer speaks for itself. */
export function reasonOf(failure: Failure): Reason | undefined {
  const { status, refused } = failure;
  if (status === undefined) return unanswered(failure);
  return status < 300 && !refused ? unreadable(failure) : undefined;
}

/** A body that ends before its end. */
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

/** A success that could not be read; the request may have taken effect. */
function unreadable({ code }: Failure): Reason {
  // It broke off.
  if (code !== undefined) return away;
  return {
    code: 'NotSupported',
    advice:
      'The answer is not one of S3’s, or damaged by a proxy: check that the endpoint is an S3 server, and what stands between',
  };
}

const away: Reason = { code: 'Unavailable' };

/** A connection that was lost under way. */
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

/** What the SDK throws before anything is sent. */
function advised(name: string, text: string): string {
  if (/accelerate/i.test(text))
    return 'Accelerated hosts do not take this bucket: leave `s3.transfer-acceleration.enabled` (in code, `accelerate`) out, or use a bucket without dots in its name';
  if (name === 'EndpointError' || name === 'InvalidBucketName' || /bucket name|endpoint/i.test(text))
    return 'No address can be made of this bucket, region and endpoint: check them';
  return 'The request cannot be made as it is';
}
