/** Converts local POSIX paths to URIs and back. Lexical: links are not followed. */
import { posix } from 'node:path';
import { InvalidUri } from './errors.js';
import { decodeKey, encodePart, splitUri } from './uri.js';

/**
 * The `file://` URI of a local path. Relative paths start at `cwd`, an absolute path. The URI of an explicit directory (`dir/`,
 * `dir/.`, `..`) ends in a slash. Errors: `InvalidUri`.
 *
 * @example
 * ```ts
 * fileUri('/data/50% off.txt'); // 'file:///data/50%25%20off.txt'
 * fileUri('../b', '/home/me'); // 'file:///home/b'
 * fileUri('.', '/home/me'); // 'file:///home/me/'
 * ```
 */
export function fileUri(path: string, cwd?: string): string {
  if (path === '') throw new InvalidUri('An empty path names no file. Write "." for the current directory.');
  if (!path.startsWith('/') && cwd?.startsWith('/') !== true) {
    throw new InvalidUri(`"${path}" is relative. Pass the absolute path of the directory where it starts.`);
  }
  const absolute = posix.normalize(path.startsWith('/') ? path : `${cwd ?? ''}/${path}`);
  const slash = /(?:^|\/)\.{0,2}$/.test(path) && !absolute.endsWith('/') ? '/' : '';
  return `file://${absolute.split('/').map(encodePart).join('/')}${slash}`;
}

/**
 * The inverse of {@link fileUri}. Errors: `InvalidUri`, `UnknownScheme`.
 *
 * @example
 * ```ts
 * filePath('file:///data/50%25%20off.txt'); // '/data/50% off.txt'
 * ```
 */
export function filePath(uri: string): string {
  // The root has no bucket, but is a directory.
  const root = /^file:\/\/(?:localhost)?\/$/i.test(uri);
  if (!root && splitUri(uri).scheme !== 'file') {
    throw new InvalidUri('Only a file:// URI names a local file. Write file:///directory/name.');
  }
  return decodeKey(uri.replace(/^file:\/\/[^/]*/i, ''));
}
