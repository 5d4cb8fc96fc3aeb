/**
 * URIs of objects and prefixes.
 *
 * `s3://bucket/key` (`s3a://` is the same), `memory://name/key` and `file:///directory/key`. What a server calls a
 * bucket is, for files, the first directory of the path: `file:///tmp/lake/raw` is the key `lake/raw` in the bucket
 * `tmp`, so that the same URI means the same place whoever opens it.
 *
 * The key is percent-decoded, and nothing else happens to it: `a//b`, `../x` and `+` are what they are. So that globs
 * can be written plainly, everything after the bucket is key: `?` starts no query and `#` no fragment. Whether `*` is a
 * wildcard or part of a name is not the URI's business: `files()` takes the key undecoded ({@link splitUri}), compiles it
 * (`compileGlob`), and decodes the pieces.
 */
import { MillraceError } from '../errors.js';

/** A parsed URI. `key` is decoded and has no leading slash of its own, unless the key starts with one. */
export interface ObjectUri {
  readonly scheme: Scheme;
  /** Bucket, memory store name, or first directory of a file path. */
  readonly bucket: string;
  readonly key: string;
}

export type Scheme = 's3' | 'file' | 'memory';

/** The text is no URI of an object. Code `InvalidUri`. */
export class InvalidUri extends MillraceError {
  override readonly name = 'InvalidUri';

  constructor(message: string, cause?: unknown) {
    super('InvalidUri', message, cause === undefined ? {} : { cause });
  }
}

/** The scheme is none that millrace knows. Code `UnknownScheme`. */
export class UnknownScheme extends MillraceError {
  override readonly name = 'UnknownScheme';

  constructor(scheme: string) {
    super('UnknownScheme', `Unknown scheme "${scheme}:". Use s3://, s3a://, file:// or memory://.`);
  }
}

/**
 * Takes a URI apart; user info is dropped. Errors: `InvalidUri`, `UnknownScheme`.
 *
 * @example
 * ```ts
 * parseUri('s3://lake/raw/a%20b'); // { scheme: 's3', bucket: 'lake', key: 'raw/a b' }
 * ```
 */
export function parseUri(uri: string): ObjectUri {
  const parts = splitUri(uri);
  return { ...parts, key: decodeKey(parts.key) };
}

/** Like {@link parseUri}, but leaves the key percent-encoded, as a glob needs it. */
export function splitUri(uri: string): ObjectUri {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/]*)(?:\/([^]*))?$/i.exec(uri);
  if (match === null) {
    throw new InvalidUri(
      `"${hideUserInfo(uri)}" is not a URI. Write s3://bucket/key, file:///directory/key or memory://name/key.`,
    );
  }
  const [, prefix = '', authority = '', rest = ''] = match;
  const scheme = schemes.get(prefix.toLowerCase());
  if (scheme === undefined) throw new UnknownScheme(prefix.toLowerCase());
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (scheme === 'file') return splitFile(uri, host, rest);
  if (host.includes(':')) {
    // Perhaps a secret with a slash in it: the text is not repeated.
    throw new InvalidUri(
      `The bucket of this ${scheme}:// URI holds a colon. Write ${scheme}://bucket/key, without credentials or port.`,
    );
  }
  if (host === '')
    throw new InvalidUri(`"${hideUserInfo(uri)}" names no bucket. Write ${scheme}://bucket/key.`);
  return { scheme, bucket: decodeKey(host), key: rest };
}

/** The inverse of {@link parseUri}; every key round-trips. `*`, `?`, `[` and the like come out percent-encoded. */
export function formatUri(uri: ObjectUri): string {
  const bucket = encodePart(uri.bucket);
  const key = uri.key.split('/').map(encodePart).join('/');
  if (uri.scheme === 'file') return `file:///${bucket}${bucket === '' ? '' : '/'}${key}`;
  return `${uri.scheme}://${bucket}/${key}`;
}

/** Percent-decodes a key. Errors: `InvalidUri` (a `%` that starts no escape, or bytes that are not UTF-8). */
export function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new InvalidUri(
      `"${text}" holds a "%" that starts no valid escape. Write a percent sign as %25.`,
      cause,
    );
  }
}

/** The text without `user:secret@`, fit for messages and checkpoints. */
export function hideUserInfo(uri: string): string {
  return uri.replace(/^([a-z][a-z0-9+.-]*:\/*)?[^/]*@/i, '$1');
}

const schemes = new Map<string, Scheme>([
  ['s3', 's3'],
  ['s3a', 's3'],
  ['file', 'file'],
  ['memory', 'memory'],
]);

function splitFile(uri: string, host: string, path: string): ObjectUri {
  if (host !== '' && host !== 'localhost') {
    throw new InvalidUri(
      `"${hideUserInfo(uri)}" names a host. A file URI has three slashes: file:///directory/key.`,
    );
  }
  const slash = path.indexOf('/');
  const bucket = slash < 0 ? path : path.slice(0, slash);
  if (bucket === '') {
    throw new InvalidUri(`"${uri}" names no directory. Write an absolute path: file:///directory/key.`);
  }
  return { scheme: 'file', bucket: decodeKey(bucket), key: slash < 0 ? '' : path.slice(slash + 1) };
}

function encodePart(text: string): string {
  try {
    return encodeURIComponent(text)
      .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
      .replaceAll('%3D', '=');
  } catch (cause) {
    throw new InvalidUri('A key with half a surrogate pair is not Unicode text and has no URI.', cause);
  }
}
