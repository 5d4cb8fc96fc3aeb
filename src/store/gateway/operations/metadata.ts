import { decodeHeader, encodeHeader } from '../../headerText.js';
import type { ContentHeaders, Metadata, ObjectInfo, UploadOptions } from '../../objectStore.js';
import { headerOf, type Call } from '../call.js';

const contentHeaders = {
  type: 'content-type',
  encoding: 'content-encoding',
  disposition: 'content-disposition',
  language: 'content-language',
  cacheControl: 'cache-control',
} as const satisfies Record<keyof ContentHeaders, string>;

const metadataPrefix = 'x-amz-meta-';

/** The metadata and content headers of a request that creates an object. */
export function uploadOptionsFrom(call: Call): UploadOptions {
  return { metadata: metadataOf(call), content: contentOf(call) };
}

function metadataOf(call: Call): Metadata {
  return Object.fromEntries(
    Object.keys(call.headers)
      .filter((name) => name.startsWith(metadataPrefix))
      .map((name) => [name.slice(metadataPrefix.length), decodeHeader(headerOf(call, name) ?? '')]),
  );
}

function contentOf(call: Call): ContentHeaders {
  return Object.fromEntries(
    Object.entries(contentHeaders).flatMap(([ours, name]) => {
      const text = headerOf(call, name) ?? '';
      // `aws-chunked` is a transfer encoding and is not stored.
      const value = ours === 'encoding' ? withoutChunks(text) : text;
      return value === '' ? [] : [[ours, decodeHeader(value)]];
    }),
  );
}

function withoutChunks(encoding: string): string {
  return encoding
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== 'aws-chunked' && one !== '')
    .join(',');
}

/** The response headers of an object. */
export function headersOf(info: ObjectInfo): Record<string, string> {
  const content = Object.entries(contentHeaders).flatMap(([ours, name]) => {
    const value = info.content?.[ours as keyof ContentHeaders];
    return value === undefined ? [] : [[name, encodeHeader(value)] as const];
  });
  return {
    etag: `"${info.etag}"`,
    'last-modified': new Date(info.modified).toUTCString(),
    'accept-ranges': 'bytes',
    'content-type': 'binary/octet-stream',
    ...Object.fromEntries(content),
    ...Object.fromEntries(
      Object.entries(info.metadata ?? {}).map(([name, value]) => [
        `${metadataPrefix}${name}`,
        encodeHeader(value),
      ]),
    ),
  };
}
