import type { Metadata, PutOptions } from '../../objectStore.js';
import { etagOf, headerOf, isoTime, once, refuse, type Call, type Reply } from '../call.js';
import { notImplemented } from '../errors.js';
import { document } from '../xml.js';
import { sourceOf } from './get.js';

export async function putObject(call: Call): Promise<Reply> {
  refuse(call, 'x-amz-server-side-encryption', 'x-amz-tagging', 'x-amz-object-lock', 'x-amz-write-offset');
  const contentType = headerOf(call, 'content-type');
  const options: PutOptions = {
    ...createOnly(call),
    ...replaceOnly(call),
    metadata: metadataOf(call),
    ...(contentType === undefined ? {} : { content: { type: contentType } }),
  };
  const { etag } = await once(call.store.put(call.key, call.body, options), call.signal);
  return { status: 200, headers: { etag: `"${etag}"` } };
}

export async function copyObject(call: Call): Promise<Reply> {
  refuse(call, 'x-amz-server-side-encryption', 'x-amz-copy-source-if-none', 'x-amz-copy-source-if-un', 'if-');
  if ((headerOf(call, 'x-amz-metadata-directive') ?? 'COPY') !== 'COPY')
    throw notImplemented('replacing metadata in a copy');
  const { key, ...condition } = sourceOf(call);
  const { etag } = await once(call.store.copy(key, call.key, condition), call.signal);
  const { modified } = await once(call.store.head(call.key), call.signal);
  return {
    status: 200,
    xml: document('CopyObjectResult', { LastModified: isoTime(modified), ETag: `"${etag}"` }),
  };
}

export async function deleteObject(call: Call): Promise<Reply> {
  refuse(call, 'if-');
  const [failure] = await once(call.store.delete([call.key]), call.signal);
  if (failure !== undefined) throw failure.error;
  return { status: 204 };
}

export function metadataOf(call: Call): Metadata {
  const prefix = 'x-amz-meta-';
  return Object.fromEntries(
    Object.keys(call.headers)
      .filter((name) => name.startsWith(prefix))
      .map((name) => [name.slice(prefix.length), headerOf(call, name) ?? '']),
  );
}

export function createOnly(call: Call): { readonly ifNoneMatch?: '*' } {
  const value = headerOf(call, 'if-none-match');
  if (value === undefined) return {};
  if (value !== '*') throw notImplemented('If-None-Match with an ETag on a write');
  return { ifNoneMatch: '*' };
}

function replaceOnly(call: Call): { readonly ifMatch?: string } {
  const ifMatch = etagOf(headerOf(call, 'if-match'));
  if (ifMatch === '*') throw notImplemented('If-Match: * on a write');
  return ifMatch === undefined ? {} : { ifMatch };
}
