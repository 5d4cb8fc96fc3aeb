/**
 * URIs of objects and prefixes.
 *
 * - `s3://bucket/key`; `s3a://` is the same.
 * - `s3x://[key:secret@]host[:port]/bucket/key` names the server, too.
 * - `memory://name/key`.
 * - `file:///directory/key`. For files, the bucket is the first directory of the path: `file:///tmp/lake/raw` is the key
 *   `lake/raw` in the bucket `tmp`, so a URI always refers to the same file.
 *
 * The key is percent-decoded and not changed otherwise: `a//b`, `../x` and `+` stay as they are. Everything after the bucket
 * is the key, so that globs need no escapes: `?` starts no query and `#` no fragment. URIs do not distinguish wildcards from
 * names: `files()` takes the undecoded key ({@link splitUri}), compiles it (`compileGlob`), and decodes the pieces.
 *
 * Any string is parsed or throws `InvalidUri` or `UnknownScheme`. No message repeats user info, not even of a URI that is
 * malformed because its secret contains a slash.
 */
import { parseAuthority, parseServer, type Authority, type UserInfo } from './authority.js';
import { InvalidUri, UnknownScheme, withoutUserInfo } from './errors.js';

export { hideUserInfo, InvalidUri, UnknownScheme } from './errors.js';

/** A parsed URI. `key` is decoded, without the slash after the bucket. */
export interface ObjectUri {
  readonly scheme: Scheme;
  /** `host` or `host:port`; required for `s3x`, absent otherwise. */
  readonly server?: string;
  /** Bucket, access point alias, memory store name, or first directory of a file path. */
  readonly bucket: string;
  readonly key: string;
}

export type Scheme = 's3' | 's3x' | 'file' | 'memory';

/**
 * Parses a URI, without its user info. Errors: `InvalidUri`, `UnknownScheme`.
 *
 * @example
 * ```ts
 * parseUri('s3://lake/raw/a%20b'); // { scheme: 's3', bucket: 'lake', key: 'raw/a b' }
 * parseUri('s3x://key:secret@host:9000/lake/x'); // { scheme: 's3x', server: 'host:9000', bucket: 'lake', key: 'x' }
 * ```
 */
export function parseUri(uri: string): ObjectUri {
  const parts = splitUri(uri);
  return { ...parts, key: decodeKey(parts.key) };
}

/** Like {@link parseUri}, but leaves the key percent-encoded, as globs require. */
export function splitUri(uri: string): ObjectUri {
  const { scheme, authority, rest } = dissect(uri);
  if (scheme === 's3x') return splitServer(parseAuthority(authority), rest);
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (scheme === 'file') return splitFile(uri, host, rest);
  refuseBucket(scheme, host);
  if (host.includes(':')) {
    // Not repeated: it may be a secret that contains a slash.
    throw new InvalidUri(
      `The bucket of this ${scheme}:// URI holds a colon. Write ${scheme}://bucket/key, without credentials or port; only s3x://host:port/bucket/key names a server.`,
    );
  }
  return { scheme, bucket: bucketOf(scheme, host), key: rest };
}

/**
 * The credentials in an `s3x://` URI, `undefined` if it has none. Errors: `InvalidUri`, `UnknownScheme`.
 *
 * @example
 * ```ts
 * userInfo('s3x://AKIA:se%2Fcret@host/lake/x'); // { accessKeyId: 'AKIA', secretAccessKey: 'se/cret' }
 * ```
 */
export function userInfo(uri: string): UserInfo | undefined {
  const { scheme, authority } = dissect(uri);
  return scheme === 's3x' ? parseAuthority(authority).userInfo : undefined;
}

/**
 * The inverse of {@link parseUri}; every key round-trips. Wildcards such as `*`, `?` and `[` are percent-encoded. Errors:
 * `InvalidUri` (`s3x` without a server, invalid Unicode).
 */
export function formatUri(uri: ObjectUri): string {
  const bucket = encodePart(uri.bucket);
  const key = uri.key.split('/').map(encodePart).join('/');
  if (uri.scheme === 'file') return `file:///${bucket}${bucket === '' ? '' : '/'}${key}`;
  const server = uri.scheme === 's3x' ? `${parseServer(uri.server ?? '')}/` : '';
  return `${uri.scheme}://${server}${bucket}/${key}`;
}

/** The URI of a key below that of a store. Halves of surrogate pairs, which no object's key has, become U+FFFD. */
export function uriBelow(store: string, key: string): string {
  return `${store.replace(/\/$/, '')}/${key.toWellFormed().split('/').map(encodePart).join('/')}`;
}

/** Percent-decodes a key. Errors: `InvalidUri` (an invalid escape, or bytes that are not UTF-8). */
export function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new InvalidUri(
      `"${withoutUserInfo(text)}" holds a "%" that starts no valid escape. Write a percent sign as %25.`,
      cause,
    );
  }
}

/** Percent-encodes a name. Errors: `InvalidUri` (half a surrogate pair). */
export function encodePart(text: string): string {
  try {
    return encodeURIComponent(text)
      .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
      .replaceAll('%3D', '=');
  } catch (cause) {
    throw new InvalidUri('A key with half a surrogate pair is not Unicode text and has no URI.', cause);
  }
}

const schemes = new Map<string, Scheme>([
  ['s3', 's3'],
  ['s3a', 's3'],
  ['s3x', 's3x'],
  ['file', 'file'],
  ['memory', 'memory'],
]);

interface Pieces {
  readonly scheme: Scheme;
  readonly authority: string;
  readonly rest: string;
}

function dissect(uri: string): Pieces {
  if (/\p{Surrogate}/u.test(uri))
    throw new InvalidUri('A URI with half a surrogate pair is not Unicode text.');
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)(?:\/([^]*))?$/i.exec(uri);
  if (match === null) {
    throw new InvalidUri(
      `"${withoutUserInfo(uri)}" is not a URI. Write s3://bucket/key, s3x://host/bucket/key, file:///directory/key or memory://name/key. For a local path, fileUri(path) of millrace/stores makes a URI.`,
    );
  }
  const [, prefix = '', authority = '', rest = ''] = match;
  const scheme = schemes.get(prefix.toLowerCase());
  if (scheme === undefined) throw new UnknownScheme(prefix.toLowerCase());
  return { scheme, authority, rest };
}

function splitServer({ server }: Authority, path: string): ObjectUri {
  const [bucket, key] = firstName(path);
  refuseBucket('s3x', bucket);
  if (bucket.includes('@')) {
    // Probably the rest of a secret that contains a slash.
    throw new InvalidUri(
      'The bucket of this s3x:// URI holds an "@". Write s3x://[key:secret@]host[:port]/bucket/key, with %2F for a slash in a secret.',
    );
  }
  return { scheme: 's3x', server, bucket: bucketOf('s3x', bucket), key };
}

function splitFile(uri: string, host: string, path: string): ObjectUri {
  if (host !== '' && host !== 'localhost') {
    throw new InvalidUri(
      `"${withoutUserInfo(uri)}" names a host. A file URI has three slashes: file:///directory/key.`,
    );
  }
  const [bucket, key] = firstName(path);
  if (bucket === '') {
    throw new InvalidUri(
      `"${withoutUserInfo(uri)}" names no directory. Write an absolute path: file:///directory/key.`,
    );
  }
  return { scheme: 'file', bucket: decodeBucket('file', bucket), key };
}

function firstName(path: string): [string, string] {
  const slash = path.indexOf('/');
  return slash < 0 ? [path, ''] : [path.slice(0, slash), path.slice(slash + 1)];
}

function bucketOf(scheme: Scheme, text: string): string {
  const bucket = decodeBucket(scheme, text);
  if (bucket === '') {
    const form = scheme === 's3x' ? 's3x://host/bucket/key' : `${scheme}://bucket/key`;
    throw new InvalidUri(`This ${scheme}:// URI names no bucket. Write ${form}.`);
  }
  refuseBucket(scheme, bucket);
  return bucket;
}

/** Errors do not repeat the bucket: if a secret contains an "@", it is the rest of the secret. */
function decodeBucket(scheme: Scheme, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new InvalidUri(
      `The bucket of this ${scheme}:// URI holds a "%" that starts no valid escape. Write a percent sign as %25.`,
      cause,
    );
  }
}

/** Throws `InvalidUri` for bucket names that only AWS supports: ARNs and directory buckets. */
export function refuseBucket(scheme: Scheme, bucket: string): void {
  if (scheme !== 's3' && scheme !== 's3x') return;
  if (isDirectoryBucket(bucket)) {
    throw new InvalidUri(
      'The bucket of this URI is a directory bucket (S3 Express One Zone; its name ends in "--x-s3"), or an access point of one ("--xa-s3"). These list keys in no order, and are not supported: use a general purpose bucket.',
    );
  }
  if (!/^arn:/i.test(bucket)) return;
  throw new InvalidUri(
    `An ARN cannot be the bucket of a URI. Write the access point's alias instead, ${scheme}://${scheme === 's3x' ? 'host/' : ''}<alias>/key: a name that ends in "-s3alias", shown as "Access point alias" in the S3 console and as "Alias" by "aws s3control get-access-point".`,
  );
}

/** AWS reserves these suffixes for directory buckets and their access points. */
export function isDirectoryBucket(name: string): boolean {
  return /--xa?-s3$/i.test(name);
}
