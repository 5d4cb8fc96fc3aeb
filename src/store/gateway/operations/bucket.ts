import type { DeleteFailure } from '../../objectStore.js';
import { isoTime, numberOf, once, type Call, type Reply } from '../call.js';
import { GatewayError, notImplemented, toGatewayError } from '../errors.js';
import { escapeUri } from '../target.js';
import { childText, document, malformedXml, parseXml, type Xml } from '../xml.js';

export async function headBucket(call: Call): Promise<Reply> {
  await once(call.store.list({ limit: 1 }), call.signal);
  return { status: 200 };
}

export async function listObjects(call: Call): Promise<Reply> {
  const { query } = call;
  const limit = numberOf(call, 'max-keys', 1000, 0, 2 ** 31 - 1);
  const encode = encoder(call);
  const [prefix, delimiter, startAfter] = [
    query.get('prefix') ?? '',
    query.get('delimiter'),
    query.get('start-after'),
  ];
  const token = query.get('continuation-token');
  const options = {
    prefix,
    limit: Math.min(limit, 1000),
    ...(delimiter === undefined || delimiter === '' ? {} : { delimiter }),
    ...(startAfter === undefined ? {} : { startAfter }),
    ...(token === undefined ? {} : { cursor: Buffer.from(token, 'base64url').toString() }),
  };
  const page =
    limit === 0
      ? { objects: [], prefixes: [], date: undefined }
      : await once(call.store.list(options), call.signal);
  const cursor = 'cursor' in page ? page.cursor : undefined;
  const xml = document('ListBucketResult', {
    Name: call.bucket,
    Prefix: encode(prefix),
    Delimiter: delimiter === undefined ? undefined : encode(delimiter),
    StartAfter: startAfter === undefined ? undefined : encode(startAfter),
    MaxKeys: limit,
    KeyCount: page.objects.length + page.prefixes.length,
    EncodingType: query.get('encoding-type'),
    IsTruncated: cursor !== undefined,
    ContinuationToken: token,
    NextContinuationToken: cursor === undefined ? undefined : Buffer.from(cursor).toString('base64url'),
    Contents: page.objects.map((object) => ({
      Key: encode(object.key),
      LastModified: isoTime(object.modified),
      ETag: `"${object.etag}"`,
      Size: object.size,
      StorageClass: object.storageClass ?? 'STANDARD',
    })),
    CommonPrefixes: page.prefixes.map((common) => ({ Prefix: encode(common) })),
  });
  return { status: 200, xml, ...(page.date === undefined ? {} : { date: page.date }) };
}

export async function deleteObjects(call: Call): Promise<Reply> {
  if (
    !Object.keys(call.headers).some((name) => name === 'content-md5' || name.startsWith('x-amz-checksum-'))
  ) {
    throw new GatewayError(400, 'InvalidRequest', 'Missing required header for this request: Content-MD5');
  }
  const root = parseXml(call.body.toString());
  const objects = root.children.filter(({ name }) => name === 'Object');
  if (root.name !== 'Delete' || objects.length === 0 || objects.length > 1000) throw malformedXml();
  const keys = objects.map((object) => {
    if (childText(object, 'VersionId') !== undefined) throw notImplemented('versions');
    const key = childText(object, 'Key');
    if (key === undefined || key === '') throw malformedXml();
    return key;
  });
  const failures = await once(call.store.delete(keys), call.signal);
  const failed = new Set(failures.map(({ key }) => key));
  const deleted = childText(root, 'Quiet') === 'true' ? [] : keys.filter((key) => !failed.has(key));
  const xml = document('DeleteResult', {
    Deleted: deleted.map((key) => ({ Key: key })),
    Error: failures.map(errorOf),
  });
  return { status: 200, xml };
}

function errorOf({ key, error }: DeleteFailure): Xml {
  const { code, message } = toGatewayError(error);
  return { Key: key, Code: code, Message: message };
}

/** Encodes keys as the client requests: URL-encoded or as they are. Throws `InvalidArgument`. */
export function encoder(call: Call): (key: string) => string {
  const type = call.query.get('encoding-type');
  if (type === undefined) return (key) => key;
  if (type !== 'url')
    throw new GatewayError(400, 'InvalidArgument', 'Invalid Encoding Method specified in Request');
  return (key) => escapeUri(key).replaceAll('%2F', '/');
}

export function location(region: string | undefined): Reply {
  // As on AWS, us-east-1 is empty.
  const name = region === undefined || region === 'us-east-1' ? '' : region;
  return { status: 200, xml: document('LocationConstraint', name) };
}

export function listBuckets(names: Iterable<string>): Reply {
  const Bucket = [...names].sort().map((Name) => ({ Name, CreationDate: isoTime(0) }));
  return {
    status: 200,
    xml: document('ListAllMyBucketsResult', { Owner: { ID: 'millrace' }, Buckets: { Bucket } }),
  };
}
