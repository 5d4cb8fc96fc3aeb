import { isStoreError } from '../store/errors.js';
import { CheckpointError } from './errors.js';

/** What to do when the store does not let us at the log; other errors speak for themselves. */
export function accessError(error: unknown, where: string): unknown {
  if (isStoreError(error, 'NotFound')) {
    return new CheckpointError(
      'MissingBucket',
      `The bucket of the checkpoint directory ${where} does not exist (${error.message}). Create it, or correct 'checkpoints.dir': a job never creates buckets.`,
      { cause: error },
    );
  }
  if (isStoreError(error, 'PermissionDenied')) {
    return new CheckpointError(
      'LogAccessDenied',
      `The store refuses access to the checkpoint directory ${where} (${error.message}). Grant these credentials s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject below the directory.`,
      { cause: error },
    );
  }
  return error;
}
