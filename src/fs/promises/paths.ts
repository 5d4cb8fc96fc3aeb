import type { PathLike } from 'node:fs';
import { fileUri, splitUri } from '../../path/index.js';
import { directoryOf } from '../operations/place.js';

/**
 * The URI of whatever Node takes as a path: `s3://…`, `s3a://…`, `s3x://…`, `file://…`, `memory://…`, as text or `URL`; any other
 * text is a local path, relative to the working directory. What a glob would take for a wildcard is just a character.
 */
export function uriOf(path: PathLike): string {
  // What `path.join` leaves of two slashes.
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

/** Whether a text is a URI, and so percent-encoded. */
export function isUri(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^(?:s3[ax]?|memory|file):\//i.test(text);
}

/** A name as it is appended to the path of its directory, after a slash: in a URI, a percent sign is `%25`. */
export function nameIn(directory: string): (name: string) => string {
  return isUri(directory) ? (name) => name.replaceAll('%', '%25') : (name) => name;
}

/** The text of a path, as errors show it. */
export function textOf(path: PathLike): string {
  if (typeof path === 'string') return path;
  if (path instanceof URL) return path.href;
  if (Buffer.isBuffer(path)) return path.toString();
  throw Object.assign(
    new TypeError('The "path" argument must be of type string or an instance of Buffer or URL.'),
    { code: 'ERR_INVALID_ARG_TYPE' },
  );
}

/** The URI of the same name as a directory. */
export const directoryUri = (uri: string): string => directoryOf(uri);

/** Without the slashes at its end: a file, or whatever has the name. */
export function nameUri(uri: string): string {
  return uri.replace(/([^/])\/+$/, '$1');
}

/** The URI of something in a directory. */
export function within(directory: string, name: string): string {
  return `${directoryUri(directory)}${name.split('/').map(encodeURIComponent).join('/')}`;
}

/** The directory that something is in; `undefined` for a bucket, which is in none. */
export function parentUri(uri: string): string | undefined {
  const name = nameUri(uri);
  return splitUri(name).key === '' ? undefined : name.replace(/[^/]+$/, '');
}
