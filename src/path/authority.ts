/**
 * The authority of an `s3x://` URI: `[key:secret@]host[:port]`. No message repeats any part of it: in a malformed URI, any part
 * may be a secret.
 */
import { InvalidUri } from './errors.js';

/** The credentials in a URI. */
export interface UserInfo {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Authority {
  /** `host` or `host:port`, the host in lower case, an IPv6 address in brackets. */
  readonly server: string;
  readonly userInfo: UserInfo | undefined;
}

/** Errors: `InvalidUri`. */
export function parseAuthority(text: string): Authority {
  const at = text.lastIndexOf('@');
  return {
    server: parseServer(text.slice(at + 1)),
    userInfo: at < 0 ? undefined : parseUserInfo(text.slice(0, at)),
  };
}

/** Normalizes a host with an optional port. Errors: `InvalidUri`. */
export function parseServer(text: string): string {
  const [, host, port] = /^(\[[0-9a-f:.]+\]|[\p{L}\p{M}\p{N}._-]+)(?::(\d{1,5}))?$/iu.exec(text) ?? [];
  // URL validates addresses and international names, but also accepts more than a host.
  if (host === undefined || !URL.canParse(`http://${host}`)) {
    throw new InvalidUri(
      'The host of this s3x:// URI is invalid. Write s3x://[key:secret@]host[:port]/bucket/key, with %2F, %40 and %25 for "/", "@" and "%" in a secret.',
    );
  }
  const { hostname } = new URL(`http://${host}`);
  if (port === undefined) return hostname;
  if (Number(port) < 1 || Number(port) > 65535) {
    throw new InvalidUri('The port of this s3x:// URI is invalid. Write a number from 1 to 65535.');
  }
  return `${hostname}:${Number(port)}`;
}

function parseUserInfo(text: string): UserInfo {
  const colon = text.indexOf(':');
  const accessKeyId = decode(text.slice(0, Math.max(colon, 0)));
  const secretAccessKey = decode(text.slice(colon + 1));
  if (accessKeyId === '' || secretAccessKey === '') {
    throw new InvalidUri(
      'The credentials of this s3x:// URI lack the key or the secret. Write s3x://key:secret@host/bucket/key, or leave them out to use those that are configured.',
    );
  }
  return { accessKeyId, secretAccessKey };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InvalidUri(
      'The credentials of this s3x:// URI hold a "%" that starts no valid escape. Write a percent sign as %25.',
    );
  }
}
