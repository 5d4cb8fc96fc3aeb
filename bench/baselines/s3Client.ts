import { S3Client } from '@aws-sdk/client-s3';
import type { Params } from '../harness/workload.js';

/** The SDK's client as most programs create it, for the server in the params. */
export function s3Client(params: Params): S3Client {
  return new S3Client({
    endpoint: String(params['endpoint']),
    region: String(params['region'] ?? 'us-east-1'),
    forcePathStyle: true,
    credentials: {
      accessKeyId: String(params['accessKeyId'] ?? 'bench'),
      secretAccessKey: String(params['secretAccessKey'] ?? 'bench-secret'),
    },
  });
}
