/**
 * Everything that needs the AWS SDK. The first request loads it, so programs that do not use S3 do not pay for it.
 */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';

export { withAccess } from './access.js';
export { deleteKeys } from './delete.js';
export { withDirectReads } from './directReads.js';
export { get } from './get.js';
export { head } from './head.js';
export { lifecycleRules } from './lifecycle.js';
export { list } from './list.js';
export { copy, put } from './objects.js';
export { gated } from './gatedClient.js';
export { listParts, listUploads } from './uploadListings.js';
export * as uploads from './uploads.js';

export const createClient = (config: S3ClientConfig): S3Client => new S3Client(config);
