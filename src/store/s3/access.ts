/**
 * Adds what a bucket requires on every read and write: the requester-pays header and the customer's key. A copy needs the
 * keys of both its buckets.
 */
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { ResolvedOptions } from './options.js';
import type { Sender } from './region.js';

export type Access = Pick<ResolvedOptions, 'requesterPays' | 'customerKey'>;

interface Input {
  readonly Bucket?: string;
  readonly CopySource?: string;
}

/** The requests that touch an object's bytes; the others take no key. By class: see `gatedClient.ts`. */
const withKey = new Set<unknown>([
  HeadObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  ListPartsCommand,
  CompleteMultipartUploadCommand,
]);

/** Sends commands with what their buckets require. Errors are passed on without the keys. */
export function withAccess(client: Sender, accessOf: (bucket: string) => Access): Sender {
  const send = async (
    command: Parameters<S3Client['send']>[0],
    options: Parameters<S3Client['send']>[1],
  ): Promise<unknown> => {
    const { Bucket = '', CopySource } = command.input as Input;
    const target = accessOf(Bucket);
    const source = CopySource === undefined ? undefined : accessOf(CopySource.split('/', 1)[0] ?? '');
    const key = withKey.has(command.constructor) ? target.customerKey : undefined;
    Object.assign(command.input, {
      ...(target.requesterPays || source?.requesterPays === true ? { RequestPayer: 'requester' } : {}),
      ...(key === undefined ? {} : { SSECustomerAlgorithm: 'AES256', SSECustomerKey: key }),
      ...(source?.customerKey === undefined
        ? {}
        : { CopySourceSSECustomerAlgorithm: 'AES256', CopySourceSSECustomerKey: source.customerKey }),
    });
    try {
      return await client.send(command, options);
    } catch (error) {
      for (const secret of [key, source?.customerKey])
        if (error instanceof Error && secret !== undefined)
          error.message = error.message.replaceAll(secret, '***');
      throw error;
    }
  };
  return { send: send as S3Client['send'] };
}
