/**
 * Listings of objects. Callers rely on S3's guarantees: every key once, in the order of UTF-8 bytes, below the prefix and
 * after the start, across all pages. A server that breaks them would make a job lose records or read them twice, so each
 * page is checked, also against the end of the previous one.
 */
import { ListObjectsV2Command, type ListObjectsV2Output } from '@aws-sdk/client-s3';
import { isCount } from '../../shape.js';
import { checkLimit, compareKeys } from '../helpers.js';
import type { StoreError } from '../errors.js';
import type { ListOptions, ListPage, ObjectInfo } from '../objectStore.js';
import { incomplete } from './responses.js';
import { bareEtag } from './keys.js';
import { echoes, type ListedKeys } from './listedKeys.js';
import type { Place } from './place.js';

export interface ListPlace extends Place {
  readonly keys: ListedKeys;
}

/** Where a page starts: the content of a cursor. */
interface From {
  /** The server's continuation token. Without one, `after` is sent. */
  readonly token?: string;
  /** Everything on the page must come after it. */
  readonly after?: string;
  /** `after` is a common prefix that has been listed. */
  readonly folded?: boolean;
  /** Consecutive pages without a key. */
  readonly empty?: number;
}

/** Versioned buckets with millions of deleted objects have many pages without a key; more than this means an endless listing. */
const maxEmpty = 10_000;

/** One page of objects. Errors: `NotSupported` and `Integrity` if the listing is invalid. */
export async function list(place: ListPlace, options: ListOptions): Promise<ListPage> {
  const from = options.cursor === undefined ? startOf(options) : (JSON.parse(options.cursor) as From);
  const { answer, keys, date } = await ask(place, options, from);
  checkName(answer, place.bucket);
  checkEcho(answer, options);
  const objects = (answer.Contents ?? []).map((object, i): ObjectInfo => {
    const [key = '', etag] = [keys[i], bareEtag(object.ETag)];
    if (key === '' || !isCount(object.Size) || etag === '')
      throw broken(`it has no ${key === '' ? 'key' : etag === '' ? 'ETag' : 'size'} of an object`);
    return {
      key,
      size: object.Size,
      etag,
      modified: object.LastModified?.getTime() ?? 0,
      ...(object.StorageClass === undefined ? {} : { storageClass: object.StorageClass }),
    };
  });
  const listed = keys.slice(objects.length);
  // Some servers repeat the last prefix of the previous page.
  const prefixes = from.folded === true && listed[0] === from.after ? listed.slice(1) : listed;
  checkOrder(objects, prefixes, options, from);
  const next = nextOf(answer, objects, prefixes, from);
  return {
    objects,
    prefixes,
    ...(next === undefined ? {} : { cursor: JSON.stringify(next) }),
    ...(date === undefined ? {} : { date }),
  };
}

function startOf({ startAfter }: ListOptions): From {
  return startAfter === undefined || startAfter === '' ? {} : { after: startAfter };
}

/** The page with its decoded keys and common prefixes, and the server's time. */
async function ask(
  { client, bucket, signal, keys }: ListPlace,
  options: ListOptions,
  from: From,
): Promise<{
  readonly answer: ListObjectsV2Output;
  readonly keys: readonly string[];
  readonly date: number | undefined;
}> {
  const input = {
    Bucket: bucket,
    Prefix: options.prefix,
    Delimiter: options.delimiter,
    MaxKeys: checkLimit(options.limit),
    ...(from.token === undefined ? { StartAfter: startAfter(from) } : { ContinuationToken: from.token }),
  };
  const encoded = new ListObjectsV2Command({ ...input, EncodingType: 'url' });
  const dated = dateOf(encoded);
  const answer = await client.send(encoded, { abortSignal: signal });
  const date = dated();
  const clear = keys.decode(rawKeys(answer), answer.EncodingType === 'url');
  if (clear !== undefined) return { answer, keys: clear, date };
  const plain = await client.send(new ListObjectsV2Command(input), { abortSignal: signal });
  const learned = keys.learn(rawKeys(answer), rawKeys(plain));
  // If the bucket changed in between, use the plain page.
  return learned === undefined
    ? { answer: plain, keys: rawKeys(plain), date }
    : { answer, keys: learned, date };
}

/** The `Date` of the answer to a command, once there is one. */
function dateOf({ middlewareStack }: ListObjectsV2Command): () => number | undefined {
  let date: number | undefined;
  middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { readonly headers: Readonly<Record<string, string>> };
      const time = Date.parse(headers['date'] ?? '');
      date = Number.isNaN(time) ? undefined : time;
      return result;
    },
    { step: 'deserialize', name: 'millraceListingDate' },
  );
  return () => date;
}

/** Skips all keys below a common prefix that was listed. */
function startAfter({ after, folded }: From): string | undefined {
  return folded === true && after !== undefined ? `${after}\u{10ffff}` : after;
}

function rawKeys({ Contents, CommonPrefixes }: ListObjectsV2Output): string[] {
  return [
    ...(Contents ?? []).map(({ Key }) => Key),
    ...(CommonPrefixes ?? []).map(({ Prefix }) => Prefix),
  ].map((key) => key ?? '');
}

/** Ceph puts a tenant before the bucket's name; an access point's alias differs from the bucket's name. */
function checkName({ Name }: ListObjectsV2Output, bucket: string): void {
  const own = bucket.slice(bucket.lastIndexOf(':') + 1);
  if (
    Name === undefined ||
    Name === '' ||
    Name === own ||
    Name === bucket ||
    /(-s3alias|--ol-s3)$/.test(bucket)
  )
    return;
  throw broken(`it is that of another bucket, ${Name}`, 'Integrity');
}

/** An empty listing of another prefix would look like an empty directory. */
function checkEcho({ Prefix }: ListObjectsV2Output, { prefix = '' }: ListOptions): void {
  if (Prefix === undefined || Prefix === '' || echoes(Prefix, prefix)) return;
  throw broken(`it is that of another prefix, ${Prefix}, not ${prefix}`, 'Integrity');
}

function checkOrder(
  objects: readonly ObjectInfo[],
  prefixes: readonly string[],
  { prefix = '', delimiter = '' }: ListOptions,
  { after }: From,
): void {
  const misplaced = (key: string): string | undefined =>
    key.startsWith(prefix) ? undefined : `it holds ${key}, which is not below the prefix ${prefix}`;
  const folds = (key: string): boolean => delimiter !== '' && key.includes(delimiter, prefix.length);
  let last = after;
  for (const { key } of objects) {
    const why =
      misplaced(key) ??
      (folds(key) ? `it holds ${key}, which the delimiter folds` : undefined) ??
      (last === undefined || compareKeys(key, last) > 0 ? undefined : outOfOrder(key, last));
    if (why !== undefined) throw broken(why);
    last = key;
  }
  last = undefined;
  for (const common of prefixes) {
    // A page may start within a common prefix, after a key that sorts after the prefix itself.
    const begun = last === undefined && (after ?? '').startsWith(common);
    const before = last ?? after;
    const why =
      misplaced(common) ??
      (folds(common) ? undefined : `it folds keys into ${common}, which was not requested`) ??
      (begun || before === undefined || compareKeys(common, before) > 0
        ? undefined
        : outOfOrder(common, before));
    if (why !== undefined) throw broken(why);
    last = common;
  }
}

function outOfOrder(key: string, last: string): string {
  return `${key} comes after ${last}, so keys are out of order, or come again`;
}

/** Where the next page starts, if there is one. */
function nextOf(
  answer: ListObjectsV2Output,
  objects: readonly ObjectInfo[],
  prefixes: readonly string[],
  from: From,
): From | undefined {
  const { IsTruncated, KeyCount = 0, NextContinuationToken } = answer;
  const count = objects.length + prefixes.length;
  const listed = objects.length + (answer.CommonPrefixes ?? []).length;
  // Not every server counts the common prefixes.
  if (KeyCount > listed)
    throw broken(`it holds ${listed} keys and prefixes, and counts ${KeyCount}`, 'Integrity');
  if (IsTruncated === undefined) throw broken('it does not announce whether there is more');
  const token = NextContinuationToken === '' ? undefined : NextContinuationToken;
  if (!IsTruncated && (token === undefined || count === 0)) return undefined;
  const empty = count > 0 ? 0 : (from.empty ?? 0) + 1;
  if (empty > 0 && (token === undefined || token === from.token || empty > maxEmpty))
    throw broken('it announces more, and has neither a key nor a place to continue from');
  const [object, common] = [objects.at(-1)?.key, prefixes.at(-1)];
  const folded = common !== undefined && (object === undefined || compareKeys(common, object) > 0);
  const after = (folded ? common : object) ?? from.after;
  return {
    // If the response has a token but claims to be the last page, continue after its last key instead.
    ...(IsTruncated && token !== undefined ? { token } : {}),
    ...(after === undefined ? {} : { after }),
    ...((count > 0 ? folded : from.folded === true) ? { folded: true } : {}),
    ...(empty > 0 ? { empty } : {}),
  };
}

function broken(why: string, code: 'NotSupported' | 'Integrity' = 'NotSupported'): StoreError {
  const advice = code === 'Integrity' ? 'List again.' : 'Use a server, and proxies, that list as S3 does.';
  return incomplete('ListObjectsV2', undefined, `this is not an S3 listing: ${why}. ${advice}`, code);
}
