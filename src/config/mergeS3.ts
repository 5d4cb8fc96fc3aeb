import { parseUri } from '../path/index.js';
import type { BucketOptions, EncryptionOptions, S3Options } from './s3Options.js';

/** Merges `over` into `base`: retries and buckets are merged, everything else is replaced, such as credentials and roles. */
export function mergeS3(base: S3Options, over: S3Options | undefined): S3Options {
  if (over === undefined) return base;
  const { buckets = {}, retry, ...rest } = over;
  const names = Object.keys({ ...base.buckets, ...buckets });
  return {
    ...mergeBucket(base, rest),
    ...(base.retry === undefined && retry === undefined ? {} : { retry: { ...base.retry, ...retry } }),
    ...(names.length === 0
      ? {}
      : {
          buckets: Object.fromEntries(
            names.map((name) => [
              name,
              mergeBucket(bucketOf(base, name) ?? {}, bucketOf({ buckets }, name) ?? {}),
            ]),
          ),
        }),
  };
}

/** The options of a bucket, whose name may be `__proto__`. */
function bucketOf({ buckets = {} }: S3Options, name: string): BucketOptions | undefined {
  return Object.hasOwn(buckets, name) ? buckets[name] : undefined;
}

function mergeBucket<T extends BucketOptions>(base: T, over: BucketOptions): T {
  const given = Object.entries(over).filter(([, value]) => value !== undefined);
  return { ...base, ...(Object.fromEntries(given) as BucketOptions) };
}

/** The options of one bucket: under its name, else under the longest matching `*.ending`. */
export function ownOptions(s3: S3Options, bucket: string): BucketOptions | undefined {
  const [ending] = Object.keys(s3.buckets ?? {})
    .filter((name) => name.startsWith('*.') && bucket.endsWith(name.slice(1)))
    .sort((a, b) => b.length - a.length);
  return bucketOf(s3, bucket) ?? (ending === undefined ? undefined : bucketOf(s3, ending));
}

/** SSE-S3 in the bucket of a URI, unless the bucket has its own setting. */
export function encryptBucket(s3: S3Options, uri: string): S3Options {
  const { scheme, bucket } = parseUri(uri);
  const own = ownOptions(s3, bucket);
  if (scheme !== 's3' || encryptionType(own?.sse ?? s3.sse) !== undefined) return s3;
  return { ...s3, buckets: { ...s3.buckets, [bucket]: { ...own, sse: { type: 'sse-s3' } } } };
}

/** The type of encryption; a customer's key implies `sse-c`. */
export function encryptionType(sse: EncryptionOptions = {}): EncryptionOptions['type'] {
  const { type, customerKey, customerKeyFile } = sse;
  return type ?? ((customerKey ?? customerKeyFile) === undefined ? undefined : 'sse-c');
}
