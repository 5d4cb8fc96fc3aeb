/**
 * The `ObjectStore` over S3: AWS, and any server that speaks its protocol. Nothing else imports the AWS SDK.
 *
 * Each method is one request (a stalled read and the copy of an open range make a second one); unsubscribing aborts it and
 * closes its socket. A connection's stores retry; the adapter itself does not, and its errors hold no secrets. `errors.ts`
 * maps the servers' error codes to the store's closed set.
 */
import type { ObjectStore } from '../objectStore.js';
import { S3Connection, type S3Context } from './connection.js';
import type { S3Options } from './options.js';

export { S3Connection, type OwnOptions, type S3Context } from './connection.js';
export {
  delegationTokens,
  deserializeToken,
  receivedTokens,
  sendTokens,
  serializeToken,
  type DelegationToken,
  type DelegationTokensOptions,
  type ReceivedTokensOptions,
  type SerializedToken,
} from './credentials/index.js';
export type { S3Credentials, S3Options } from './options.js';

/**
 * One bucket over its own connection. Use {@link S3Connection} to share one among several buckets.
 *
 * Errors: `InvalidS3Options`; `RegionMissing` on the first request where no region is known.
 *
 * @example
 * ```ts
 * const store = s3Store('lake', { region: 'eu-central-1' });
 * store.get('raw/2026/01.ndjson').subscribe(({ chunks }) => console.log(chunks.length));
 * ```
 */
export function s3Store(
  bucket: string,
  options: S3Options = {},
  context: S3Context = {},
): ObjectStore & { close(): void } {
  const connection = new S3Connection(options, context);
  return Object.assign(connection.store(bucket), { close: () => connection.close() });
}
