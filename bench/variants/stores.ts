import { createStores, S3Connection, type Stores } from 'millrace/stores';
import type { Params } from '../harness/workload.js';

/** The stores of a job on the server in the params; its checkpoints may be in memory. */
export function storesOf(params: Params): { readonly stores: Stores; close(): void } {
  const connection = new S3Connection({
    endpoint: String(params['endpoint']),
    region: String(params['region'] ?? 'us-east-1'),
    proxy: 'none',
    credentials: {
      accessKeyId: String(params['accessKeyId'] ?? 'bench'),
      secretAccessKey: String(params['secretAccessKey'] ?? 'bench-secret'),
    },
  });
  return {
    stores: createStores({
      schemes: { s3: (bucket) => connection.store(bucket) },
    }),
    close: () => connection.close(),
  };
}
