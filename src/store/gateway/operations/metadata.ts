import { wrongTags } from '../../description.js';
import { decodeHeader, encodeHeader } from '../../headerText.js';
import type { ContentHeaders, Metadata, ObjectInfo, Tags, UploadOptions } from '../../objectStore.js';
import { headerOf, type Call } from '../call.js';
import { GatewayError, invalidArgument } from '../errors.js';

const contentHeaders = {
  type: 'content-type',
  encoding: 'content-encoding',
  disposition: 'content-disposition',
  language: 'content-language',
  cacheControl: 'cache-control',
} as const satisfies Record<keyof ContentHeaders, string>;

const metadataPrefix = 'x-amz-meta-';

/** The metadata, content headers and tags of a request that creates an object. */
export function uploadOptionsFrom(call: Call): UploadOptions {
  const tags = tagsOf(call);
  return { metadata: metadataOf(call), content: contentOf(call), ...(tags !== undefined && { tags }) };
}

/** `x-amz-tagging`: a query string. */
function tagsOf(call: Call): Tags | undefined {
  const header = headerOf(call, 'x-amz-tagging');
  if (header === undefined) return undefined;
  const tags = [...new URLSearchParams(header)];
  const wrong = wrongTags(Object.fromEntries(tags));
  if (wrong !== undefined) throw new GatewayError(400, 'InvalidTag', wrong);
  if (new Set(tags.map(([name]) => name)).size < tags.length)
    throw invalidArgument('The header x-amz-tagging has a name twice.');
  return Object.fromEntries(tags);
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
  const tags = Object.keys(info.tags ?? {}).length;
  return {
    etag: `"${info.etag}"`,
    'last-modified': new Date(info.modified).toUTCString(),
    'accept-ranges': 'bytes',
    'content-type': 'binary/octet-stream',
    ...(tags > 0 && { 'x-amz-tagging-count': String(tags) }),
    ...Object.fromEntries(content),
    ...Object.fromEntries(
      Object.entries(info.metadata ?? {}).map(([name, value]) => [
        `${metadataPrefix}${name}`,
        encodeHeader(value),
      ]),
    ),
  };
}
