import type { UploadCursor, UploadedPart } from '../../objectStore.js';
import { etagOf, isoTime, numberOf, once, type Call, type Reply } from '../call.js';
import { GatewayError, notImplemented } from '../errors.js';
import { childText, document, malformedXml, parseXml } from '../xml.js';
import { encoder } from './bucket.js';
import { checkPartKey, customerKeyOf } from './customerKey.js';
import { uploadOptionsFrom } from './metadata.js';
import { attributesFrom } from './attributes.js';
import { createOnly, replaceOnly } from './put.js';

export async function createMultipartUpload(call: Call): Promise<Reply> {
  const attributes = attributesFrom(call);
  const { uploadId } = await once(
    call.store.createUpload(call.key, uploadOptionsFrom(call), attributes),
    call.signal,
  );
  const xml = document('InitiateMultipartUploadResult', {
    Bucket: call.bucket,
    Key: call.key,
    UploadId: uploadId,
  });
  return { status: 200, headers: attributes.encryption, xml };
}

export async function uploadPart(call: Call): Promise<Reply> {
  const attributes = call.store.attributesOfUpload(uploadId(call));
  if (call.headers['x-amz-server-side-encryption'] !== undefined)
    throw notImplemented('the header x-amz-server-side-encryption with a part');
  checkPartKey(call, attributes);
  const part = await once(
    call.store.uploadPart(call.key, uploadId(call), partNumber(call), call.body),
    call.signal,
  );
  return { status: 200, headers: { etag: `"${part.etag}"`, ...attributes.encryption } };
}

export async function listParts(call: Call): Promise<Reply> {
  const marker = numberOf(call, 'part-number-marker', 0, 0, 2 ** 31 - 1);
  const limit = numberOf(call, 'max-parts', 1000, 1, 2 ** 31 - 1);
  const page = await once(call.store.listParts(call.key, uploadId(call), marker), call.signal);
  const parts = page.parts.slice(0, Math.min(limit, 1000));
  const truncated = page.next !== undefined || parts.length < page.parts.length;
  const xml = document('ListPartsResult', {
    Bucket: call.bucket,
    Key: call.key,
    UploadId: uploadId(call),
    PartNumberMarker: marker,
    NextPartNumberMarker: truncated ? parts.at(-1)?.number : undefined,
    MaxParts: limit,
    IsTruncated: truncated,
    Part: parts.map(({ number, etag, size }) => ({ PartNumber: number, ETag: `"${etag}"`, Size: size })),
  });
  return { status: 200, xml };
}

export async function listMultipartUploads(call: Call): Promise<Reply> {
  const { query } = call;
  if ((query.get('delimiter') ?? '') !== '') throw notImplemented('a delimiter in a listing of uploads');
  const encode = encoder(call);
  const limit = numberOf(call, 'max-uploads', 1000, 1, 2 ** 31 - 1);
  const prefix = query.get('prefix') ?? '';
  const after = cursor(call);
  const page = await once(
    call.store.listUploads({ prefix, ...(after === undefined ? {} : { after }) }),
    call.signal,
  );
  // Without an id, the marker skips every upload of its key.
  const remaining =
    after?.uploadId === '' ? page.uploads.filter(({ key }) => key !== after.key) : page.uploads;
  const uploads = remaining.slice(0, Math.min(limit, 1000));
  const truncated = page.next !== undefined || uploads.length < remaining.length;
  const last = uploads.at(-1) ?? page.next;
  const xml = document('ListMultipartUploadsResult', {
    Bucket: call.bucket,
    KeyMarker: encode(after?.key ?? ''),
    UploadIdMarker: after?.uploadId ?? '',
    NextKeyMarker: truncated && last !== undefined ? encode(last.key) : undefined,
    NextUploadIdMarker: truncated ? last?.uploadId : undefined,
    Prefix: encode(prefix),
    EncodingType: query.get('encoding-type'),
    MaxUploads: limit,
    IsTruncated: truncated,
    Upload: uploads.map((upload) => ({
      Key: encode(upload.key),
      UploadId: upload.uploadId,
      StorageClass: 'STANDARD',
      Initiated: isoTime(upload.initiated),
    })),
  });
  return { status: 200, xml };
}

export async function completeMultipartUpload(call: Call): Promise<Reply> {
  // The key is optional here: no data is encrypted by Complete.
  if (customerKeyOf(call) !== undefined) checkPartKey(call, call.store.attributesOfUpload(uploadId(call)));
  const named = parts(call);
  const uploaded = await sizes(call, named.at(-1)?.number ?? 0);
  const whole = named.map(({ number, etag }): UploadedPart => {
    const part = uploaded.get(number);
    if (part?.etag !== etag) throw invalidPart();
    return part;
  });
  const { etag } = await once(
    call.store.completeUpload(call.key, uploadId(call), whole, { ...createOnly(call), ...replaceOnly(call) }),
    call.signal,
  );
  const xml = document('CompleteMultipartUploadResult', {
    Location: `/${call.bucket}/${call.key}`,
    Bucket: call.bucket,
    Key: call.key,
    ETag: `"${etag}"`,
  });
  return { status: 200, xml };
}

export async function abortMultipartUpload(call: Call): Promise<Reply> {
  await once(call.store.abortUpload(call.key, uploadId(call)), call.signal);
  return { status: 204 };
}

/** The parts that the request names, without their sizes. */
function parts(call: Call): { readonly number: number; readonly etag: string }[] {
  const root = parseXml(call.body.toString());
  const named = root.children
    .filter(({ name }) => name === 'Part')
    .map((part) => ({
      number: Number(childText(part, 'PartNumber')),
      etag: etagOf(childText(part, 'ETag')) ?? '',
    }));
  if (root.name !== 'CompleteMultipartUpload' || named.length === 0) throw malformedXml();
  named.forEach(({ number }, i) => {
    if (!Number.isInteger(number) || number < 1 || number > 10_000) throw malformedXml();
    if (number <= (named[i - 1]?.number ?? 0)) {
      throw new GatewayError(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
    }
  });
  return named;
}

async function sizes(call: Call, last: number): Promise<Map<number, UploadedPart>> {
  const found = new Map<number, UploadedPart>();
  let after: number | undefined = 0;
  while (after !== undefined && after < last) {
    const page: { readonly parts: readonly UploadedPart[]; readonly next?: number } = await once(
      call.store.listParts(call.key, uploadId(call), after),
      call.signal,
    );
    for (const part of page.parts) found.set(part.number, part);
    after = page.next;
  }
  return found;
}

function invalidPart(): GatewayError {
  return new GatewayError(
    400,
    'InvalidPart',
    'One or more of the specified parts could not be found, or its ETag differs.',
  );
}

function cursor({ query }: Call): UploadCursor | undefined {
  const key = query.get('key-marker') ?? '';
  return key === '' ? undefined : { key, uploadId: query.get('upload-id-marker') ?? '' };
}

export function uploadId(call: Call): string {
  return call.query.get('uploadId') ?? '';
}

export function partNumber(call: Call): number {
  return numberOf(call, 'partNumber', 0, 1, 10_000);
}
