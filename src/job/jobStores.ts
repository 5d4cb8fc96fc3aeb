import { of } from 'rxjs';
import { awsCapabilities, createStores } from '../store/registry.js';
import { retrying } from '../store/retry.js';
import { S3Connection } from '../store/s3/index.js';
import type { Stores } from '../store/services.js';
import type { ResolvedOptions } from './options.js';

/**
 * The stores of one run: those that were given, or one S3 connection for all buckets, directories and memory, with
 * retries. What was opened here is closed by `close`.
 */
export function openStores({ stores, s3, environment }: ResolvedOptions): {
  readonly stores: Stores;
  close(): void;
} {
  if (stores !== undefined) return { stores, close: () => undefined };
  const { clock, random } = environment;
  let connection: S3Connection | undefined;
  const connect = (): S3Connection => (connection ??= new S3Connection(s3));
  return {
    stores: createStores({
      clock,
      schemes: { s3: (bucket) => connect().store(bucket) },
      reserved: { s3: (bucket) => connect().reserved(bucket) },
      around: (store) => retrying(store, { clock, random }),
      capabilities: () => of(awsCapabilities),
    }),
    close: () => connection?.close(),
  };
}
