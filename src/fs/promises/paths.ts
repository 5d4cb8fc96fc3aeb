import type { PathLike } from 'node:fs';
import { fileUri, splitUri } from '../../path/index.js';
import { directoryOf } from '../operations/place.js';

/**
 * The URI of a path: `s3://…`, `s3a://…`, `s3x://…`, `file://…`, `memory://…`, as a string, Buffer or `URL`. Other strings are
 * local paths, relative to the working directory. Wildcards are ordinary characters.
 */
export function uriOf(path: PathLike): string {
  // `path.join` leaves one of the two slashes.
  const text = textOf(path).replace(/^(s3[ax]?|memory|file):\/(?!\/)/i, (_, scheme: string) =>
    scheme.toLowerCase() === 'file' ? 'file:///' : `${scheme}://`,
  );
  if (!isUri(text)) return fileUri(text, process.cwd());
  const [, start = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/[^/]*\/?)([^]*)$/i.exec(text) ?? [];
  return (
    start +
    rest.replace(/[*?[\]{}!\\]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
  );
}

/** Whether a path is a URI, and so percent-encoded. */
export function isUri(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^(?:s3[ax]?|memory|file):\//i.test(text);
}

/** Encodes a name to append it to its directory's path: in a URI, `%` is `%25`. */
export function nameIn(directory: string): (name: string) => string {
  return isUri(directory) ? (name) => name.replaceAll('%', '%25') : (name) => name;
}

/** A path as a string, for errors. */
export function textOf(path: PathLike): string {
  if (typeof path === 'string') return path;
  if (path instanceof URL) return path.href;
  if (Buffer.isBuffer(path)) return path.toString();
  throw Object.assign(
    new TypeError('The "path" argument must be of type string or an instance of Buffer or URL.'),
    { code: 'ERR_INVALID_ARG_TYPE' },
  );
}

/** The URI as a directory's. */
export const directoryUri = (uri: string): string => directoryOf(uri);

/** The URI without trailing slashes. */
export function nameUri(uri: string): string {
  return uri.replace(/([^/])\/+$/, '$1');
}

/** The URI of an entry of a directory. */
export function within(directory: string, name: string): string {
  return `${directoryUri(directory)}${name.split('/').map(encodeURIComponent).join('/')}`;
}

/** The URI of the parent directory; `undefined` for a bucket. */
export function parentUri(uri: string): string | undefined {
  const name = nameUri(uri);
  return splitUri(name).key === '' ? undefined : name.replace(/[^/]+$/, '');
}
