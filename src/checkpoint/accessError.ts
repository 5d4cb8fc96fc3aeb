import { hasNoIdentity, isStoreError, type StoreError } from '../store/errors.js';
import { MissingRight } from '../store/trials.js';
import { CheckpointError } from './errors.js';

/** Explains errors of access to the log; returns others unchanged. */
export function accessError(error: unknown, where: string): unknown {
  if (isStoreError(error, 'NotFound') && error.serverCode !== 'NoSuchUpload') {
    return new CheckpointError(
      'MissingBucket',
      `The bucket of the checkpoint directory ${where} does not exist (${error.message}). Create it, or correct 'checkpoints.dir': a job never creates buckets.`,
      { cause: error },
    );
  }
  if (isStoreError(error, 'PermissionDenied')) {
    return new CheckpointError(
      'LogAccessDenied',
      `The store refuses access to the checkpoint directory ${where} (${error.message}).${advice(error)}`,
      { cause: error },
    );
  }
  return error;
}

/** Empty if granting rights would not help: the credentials are wrong, or the role is denied. */
function advice(error: StoreError): string {
  if (hasNoIdentity(error) || (error instanceof MissingRight && !error.action.startsWith('s3:'))) return '';
  return ' Grant these credentials s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject below the directory.';
}
