import { StoreError } from '../errors.js';
import { incomplete } from './responses.js';
import { escapeUri } from './httpHandler.js';

/** The `x-amz-copy-source` of a key. */
export function copySource(bucket: string, key: string): string {
  return `${bucket}/${key.split('/').map(escapeUri).join('/')}`;
}

/** Undoes `encoding-type=url` if the response claims that encoding. */
export function decodeKey(text: string | undefined, encoding: string | undefined): string {
  if (text === undefined) return '';
  if (encoding !== 'url') return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw new StoreError('Integrity', 'The server sent a key in a listing that does not decode.', { cause });
  }
}

/** Whether XML 1.0 can represent the key. */
export function fitsXml(key: string): boolean {
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(key);
}

/**
 * An ETag as it is compared and sent: without quotes and without the prefix of a weak one. A proxy that compresses weakens
 * ETags; S3 only has strong ones, and a condition on a weak one is never true.
 */
export function bareEtag(etag: string | undefined): string {
  return (etag ?? '').trim().replace(/^(?:W\/)?"?(.*?)"?$/i, '$1');
}

export function isWeak(etag: string | undefined): boolean {
  return /^\s*W\//i.test(etag ?? '');
}

/** The ETag of a written object or part. Throws `NotSupported` if the response has none. */
export function writtenEtag(etag: string | undefined, operation: string, key: string): string {
  const bare = bareEtag(etag);
  if (bare !== '') return bare;
  throw incomplete(
    operation,
    key,
    'the answer has no ETag, so it is not known whether the write took effect. Something other than S3 answers, or alters answers on the way: check the endpoint and the proxies.',
  );
}

export function quoted(etag: string | undefined): string | undefined {
  return etag === undefined ? undefined : `"${etag}"`;
}
