import type { S3Client } from '@aws-sdk/client-s3';
import type { ResolvedOptions } from './options.js';

/** Where a request goes. */
export interface Place {
  readonly client: S3Client;
  readonly bucket: string;
  readonly signal: AbortSignal;
  readonly options: ResolvedOptions;
}
