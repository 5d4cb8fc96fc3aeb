/**
 * Copies of whole objects and into parts. Within a bucket the store copies; from another bucket the bytes are read into
 * memory and written, since the stores do not share a server.
 */
import { inherited } from '../../description.js';
import { join } from '../../helpers.js';
import type { ByteRange, UploadedPart } from '../../objectStore.js';
import type { Bucket, Attributes } from '../bucket.js';
import { etagOf, headerOf, isoTime, once, refuse, type Call, type Reply } from '../call.js';
import { GatewayError, invalidArgument, notImplemented, toGatewayError } from '../errors.js';
import { document } from '../xml.js';
import { checkKey, checkPartKey } from './customerKey.js';
import { attributesFrom } from './attributes.js';
import { partNumber, uploadId } from './multipart.js';

export async function copyObject(call: Call): Promise<Reply> {
  refuse(call, 'x-amz-copy-source-if-none', 'x-amz-copy-source-if-un', 'x-amz-tagging', 'if-');
  const attributes = attributesFrom(call);
  if ((headerOf(call, 'x-amz-metadata-directive') ?? 'COPY') !== 'COPY')
    throw notImplemented('replacing metadata in a copy');
  const source = sourceOf(call);
  await checkSource(call, source);
  const { etag } =
    source.store === call.store
      ? await once(call.store.copy(source.key, call.key, source.condition, attributes), call.signal)
      : await fetched(call, source, attributes);
  const { modified } = await once(call.store.head(call.key, {}), call.signal);
  return {
    status: 200,
    headers: attributes.encryption,
    xml: document('CopyObjectResult', { LastModified: isoTime(modified), ETag: `"${etag}"` }),
  };
}

async function fetched(
  call: Call,
  source: Source,
  attributes: Attributes,
): Promise<{ readonly etag: string }> {
  const { info, chunks } = await missingKey(
    once(source.store.get(source.key, source.condition), call.signal),
  );
  const options = inherited(info);
  return once(call.store.put(call.key, join(chunks), options, attributes), call.signal);
}

export async function uploadPartCopy(call: Call): Promise<Reply> {
  refuse(call, 'x-amz-copy-source-if-none', 'x-amz-copy-source-if-un');
  const source = sourceOf(call);
  checkPartKey(call, call.store.attributesOfUpload(uploadId(call)));
  await checkSource(call, source);
  const range = rangeOf(call);
  const number = partNumber(call);
  const part =
    source.store === call.store
      ? await once(
          call.store.copyPart(call.key, uploadId(call), number, {
            key: source.key,
            ...source.condition,
            ...range,
          }),
          call.signal,
        )
      : await fetchedPart(call, source, range, number);
  return {
    status: 200,
    xml: document('CopyPartResult', { LastModified: isoTime(Date.now()), ETag: `"${part.etag}"` }),
  };
}

async function fetchedPart(
  call: Call,
  source: Source,
  range: { readonly range?: ByteRange },
  number: number,
): Promise<UploadedPart> {
  const options = { ...source.condition, ...range };
  const { chunks } = await missingKey(once(source.store.get(source.key, options), call.signal));
  return once(call.store.uploadPart(call.key, uploadId(call), number, join(chunks)), call.signal);
}

async function checkSource(call: Call, { store, key }: Source): Promise<void> {
  const info = await missingKey(once(store.head(key, {}), call.signal));
  checkKey(call, store.attributesOf(info), 'source');
}

/** A missing source is `NoSuchKey`, not a missing upload or bucket. */
async function missingKey<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toGatewayError(error, 'NoSuchKey');
  }
}

function rangeOf(call: Call): { readonly range?: ByteRange } {
  const text = headerOf(call, 'x-amz-copy-source-range');
  if (text === undefined) return {};
  const match = /^bytes=(\d+)-(\d+)$/.exec(text);
  if (match === null) throw invalidArgument('x-amz-copy-source-range must be bytes=first-last.');
  return { range: { start: Number(match[1]), end: Number(match[2]) + 1 } };
}

interface Source {
  readonly store: Bucket;
  readonly key: string;
  readonly condition: { readonly ifMatch?: string };
}

/** The source of a copy: `/bucket/key`, percent-encoded. */
function sourceOf(call: Call): Source {
  let text: string;
  try {
    text = decodeURIComponent((headerOf(call, 'x-amz-copy-source') ?? '').replace(/^\//, ''));
  } catch (error) {
    throw toGatewayError(error);
  }
  const slash = text.indexOf('/');
  const key = text.slice(slash + 1);
  if (slash < 1 || key === '')
    throw new GatewayError(400, 'InvalidArgument', 'x-amz-copy-source must be /bucket/key.');
  const etag = etagOf(headerOf(call, 'x-amz-copy-source-if-match'));
  return {
    store: call.storeOf(text.slice(0, slash)),
    key,
    condition: etag === undefined ? {} : { ifMatch: etag },
  };
}
