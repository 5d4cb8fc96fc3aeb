import type { ByteRange, ObjectBody, ObjectInfo } from '../../objectStore.js';
import type { Bucket } from '../bucket.js';
import { etagOf, headerOf, once, type Call, type Reply } from '../call.js';
import { GatewayError } from '../errors.js';
import { checkKey } from './customerKey.js';
import { headersOf } from './metadata.js';
import { document } from '../xml.js';
import { attributeHeaders } from './attributes.js';

/** The bytes of an object in memory at a time. */
const fragment = 8 * 1024 * 1024;

export async function headObject(call: Call): Promise<Reply> {
  const info = await once(call.store.head(call.key, ifMatch(call)), call.signal);
  checkKey(call, call.store.attributesOf(info));
  notModified(call, info);
  return { status: 200, headers: { ...told(call, info), 'content-length': String(info.size) } };
}

/** Sends an object or a range of it with backpressure, all of one version. */
export async function getObject(call: Call): Promise<Reply> {
  const condition = ifMatch(call);
  const asked = await range(call, condition);
  const start = asked?.start ?? 0;
  const first = await once(
    call.store.get(call.key, {
      ...condition,
      range: { start, end: Math.min(asked?.end ?? Infinity, start + fragment) },
    }),
    call.signal,
  );
  const { info } = first;
  checkKey(call, call.store.attributesOf(info));
  notModified(call, info);
  if (asked !== undefined && start >= info.size) throw unsatisfiable(info.size);
  const end = Math.min(asked?.end ?? info.size, info.size);
  const headers = told(call, info, asked === undefined);
  if (asked !== undefined) headers['content-range'] = `bytes ${start}-${end - 1}/${info.size}`;
  const chunks = fragments(call.store, first, { start, end }, call.signal);
  return { status: asked === undefined ? 200 : 206, headers, stream: { length: end - start, chunks } };
}

export async function getObjectTagging(call: Call): Promise<Reply> {
  const { tags = {} } = await once(call.store.head(call.key, {}), call.signal);
  const tag = Object.entries(tags).map(([name, value]) => ({ Key: name, Value: value }));
  return { status: 200, xml: document('Tagging', { TagSet: { Tag: tag } }) };
}

/** The checksum is only sent with the whole object. */
function told(call: Call, info: ObjectInfo, whole = true): Record<string, string> {
  const attributes = call.store.attributesOf(info);
  const asked = whole && headerOf(call, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED';
  return {
    ...headersOf(info),
    ...attributeHeaders(attributes),
    ...(asked && attributes.checksum !== undefined ? Object.fromEntries([attributes.checksum]) : {}),
  };
}

async function* fragments(
  store: Bucket,
  first: ObjectBody,
  { start, end = start }: ByteRange,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  yield* first.chunks;
  for (let at = start + fragment; at < end; at += fragment) {
    const range = { start: at, end: Math.min(end, at + fragment) };
    const next = await once(store.get(first.info.key, { range, ifMatch: first.info.etag }), signal);
    yield* next.chunks;
  }
}

async function range(call: Call, condition: { readonly ifMatch?: string }): Promise<ByteRange | undefined> {
  const match = /^bytes=(\d*)-(\d*)$/.exec(headerOf(call, 'range') ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const { size } = await once(call.store.head(call.key, condition), call.signal);
    const length = Math.min(Number(to), size);
    if (length === 0) throw unsatisfiable(size);
    return { start: size - length, end: size };
  }
  const start = Number(from);
  if (to === '') return { start };
  // HTTP ignores a range that ends before it starts.
  return Number(to) < start ? undefined : { start, end: Number(to) + 1 };
}

function ifMatch(call: Call): { readonly ifMatch?: string } {
  const etag = etagOf(headerOf(call, 'if-match'));
  return etag === undefined || etag === '*' ? {} : { ifMatch: etag };
}

function notModified(call: Call, info: ObjectInfo): void {
  const etag = etagOf(headerOf(call, 'if-none-match'));
  if (etag === '*' || etag === info.etag) {
    throw new GatewayError(304, 'NotModified', 'Not Modified', { etag: `"${info.etag}"` });
  }
}

function unsatisfiable(size: number): GatewayError {
  return new GatewayError(416, 'InvalidRange', 'The requested range is not satisfiable', {
    'content-range': `bytes */${size}`,
  });
}
