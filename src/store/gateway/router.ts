import type { Call, Reply } from './call.js';
import { GatewayError, notImplemented } from './errors.js';
import { copyObject, uploadPartCopy } from './operations/copy.js';
import { deleteObjects, headBucket, listObjects } from './operations/bucket.js';
import { getObject, getObjectTagging, headObject } from './operations/get.js';
import * as multipart from './operations/multipart.js';
import { deleteObject, putObject } from './operations/put.js';
import type { Target } from './target.js';

/** The operations that a bucket's store answers, by S3's names. */
export const operations = {
  HeadBucket: headBucket,
  ListObjectsV2: listObjects,
  DeleteObjects: deleteObjects,
  ListMultipartUploads: multipart.listMultipartUploads,
  HeadObject: headObject,
  GetObject: getObject,
  GetObjectTagging: getObjectTagging,
  PutObject: putObject,
  CopyObject: copyObject,
  DeleteObject: deleteObject,
  CreateMultipartUpload: multipart.createMultipartUpload,
  UploadPart: multipart.uploadPart,
  UploadPartCopy: uploadPartCopy,
  ListParts: multipart.listParts,
  CompleteMultipartUpload: multipart.completeMultipartUpload,
  AbortMultipartUpload: multipart.abortMultipartUpload,
} as const satisfies Readonly<Record<string, (call: Call) => Promise<Reply>>>;

/** Of a bucket's store, and those that only the gateway itself can answer. */
export type GatewayOperation =
  | keyof typeof operations
  | 'ListBuckets'
  | 'CreateBucket'
  | 'GetBucketLocation'
  | 'GetBucketLifecycleConfiguration'
  | 'Sts';

/** Query parameters that select another operation. Only `tagging` and `lifecycle` are implemented, to read. */
const subresources: ReadonlySet<string> = new Set(
  (
    'accelerate acl analytics attributes cors encryption intelligent-tiering inventory legal-hold lifecycle logging ' +
    'metrics notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject replication ' +
    'requestPayment restore retention select tagging torrent versionId versioning versions website'
  ).split(' '),
);

/** Finds the operation of a request. Throws `NotImplemented` and `MethodNotAllowed`. */
export function route(method: string, target: Target, copies: boolean): GatewayOperation {
  if (method === 'GET' && target.key !== '' && target.query.has('tagging')) return 'GetObjectTagging';
  if (method === 'GET' && target.bucket !== '' && target.key === '' && target.query.has('lifecycle'))
    return 'GetBucketLifecycleConfiguration';
  for (const name of target.query.keys()) if (subresources.has(name)) throw notImplemented(`?${name}`);
  const operation =
    target.bucket === ''
      ? method === 'GET' && 'ListBuckets'
      : target.key === ''
        ? onBucket(method, target.query)
        : onObject(method, target.query, copies);
  if (operation) return operation;
  throw new GatewayError(
    405,
    'MethodNotAllowed',
    'The specified method is not allowed against this resource.',
  );
}

function onBucket(method: string, query: Target['query']): GatewayOperation | undefined {
  if (method === 'GET') {
    if (query.has('location')) return 'GetBucketLocation';
    if (query.has('uploads')) return 'ListMultipartUploads';
    if (query.get('list-type') === '2') return 'ListObjectsV2';
    throw notImplemented('version 1 of the listing: use ListObjectsV2');
  }
  if (method === 'DELETE') throw notImplemented('DeleteBucket');
  if (method === 'POST') return query.has('delete') ? 'DeleteObjects' : undefined;
  return method === 'HEAD' ? 'HeadBucket' : method === 'PUT' ? 'CreateBucket' : undefined;
}

function onObject(method: string, query: Target['query'], copies: boolean): GatewayOperation | undefined {
  const upload = query.has('uploadId');
  switch (method) {
    case 'HEAD':
    case 'GET':
      if (upload && method === 'GET') return 'ListParts';
      if (query.has('partNumber')) throw notImplemented('reading one part');
      return method === 'GET' ? 'GetObject' : 'HeadObject';
    case 'PUT':
      if (upload) return copies ? 'UploadPartCopy' : 'UploadPart';
      return copies ? 'CopyObject' : 'PutObject';
    case 'DELETE':
      return upload ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'POST':
      return upload ? 'CompleteMultipartUpload' : query.has('uploads') ? 'CreateMultipartUpload' : undefined;
    default:
      return undefined;
  }
}

/** The S3 code for a store's `NotFound`. */
export function missing(operation: GatewayOperation): string {
  switch (operation) {
    case 'HeadBucket':
    case 'ListObjectsV2':
    case 'ListMultipartUploads':
    case 'DeleteObjects':
    case 'PutObject':
    case 'CreateMultipartUpload':
      return 'NoSuchBucket';
    case 'UploadPart':
    case 'UploadPartCopy':
    case 'ListParts':
    case 'CompleteMultipartUpload':
    case 'AbortMultipartUpload':
      return 'NoSuchUpload';
    default:
      return 'NoSuchKey';
  }
}
