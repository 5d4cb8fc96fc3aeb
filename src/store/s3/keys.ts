import { StoreError } from '../errors.js';
import { escapeUri } from './httpHandler.js';

/** The `x-amz-copy-source` of a key. */
export function copySource(bucket: string, key: string): string {
  return `${bucket}/${key.split('/').map(escapeUri).join('/')}`;
}

/** Undoes `encoding-type=url` where the server says that it did it. */
export function decodeKey(text: string | undefined, encoding: string | undefined): string {
  if (text === undefined) return '';
  if (encoding !== 'url') return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw new StoreError('Integrity', 'The server sent a key in a listing that does not decode.', { cause });
  }
}

/** Whether XML 1.0 can carry the key; what it cannot must travel in a URL. */
export function fitsXml(key: string): boolean {
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(key);
}

export function stripQuotes(etag: string | undefined): string {
  return etag === undefined ? '' : etag.replace(/^"(.*)"$/, '$1');
}

export function quoted(etag: string | undefined): string | undefined {
  return etag === undefined ? undefined : `"${etag}"`;
}
