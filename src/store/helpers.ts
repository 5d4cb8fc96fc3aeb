import { createHash, hash } from 'node:crypto';
import { map, type Observable } from 'rxjs';
import { StoreError } from './errors.js';
import { listPages } from './pages.js';
import type {
  CopyOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  UploadCursor,
  UploadedPart,
} from './objectStore.js';

/** The maximum number of entries on a listing page. */
export const maxPage = 1000;

/** AWS's minimum for every part but the last. Bytes. */
export const awsMinimumPartSize = 5 * 1024 * 1024;

/**
 * All objects under a prefix, page by page. The next page is requested once the previous one has arrived, and never after an
 * unsubscribe. Emits one array a page. Errors: those of `list`.
 *
 * @example
 * ```ts
 * listAll(createMemoryStore(), 'raw/').subscribe((page) => console.log(page.map(({ key }) => key)));
 * ```
 */
export function listAll(
  store: ObjectStore,
  prefix: string,
  options: Omit<ListOptions, 'prefix' | 'cursor' | 'delimiter'> = {},
): Observable<readonly ObjectInfo[]> {
  return listPages(store, { ...options, prefix }).pipe(map((page) => page.objects));
}

/** The chunks as one array; copies only if there are several. */
export function join(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  return Buffer.concat(chunks);
}

/**
 * Compares two keys by their UTF-8 bytes, the order of listings. Differs from `<` between surrogate pairs and U+E000 to
 * U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Moves surrogates after the rest of the basic plane, as in UTF-8. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** The hexadecimal MD5 of a body: the ETag of a plain put. */
export function md5(body: Uint8Array): string {
  return createHash('md5').update(body).digest('hex');
}

/** The SHA-256 of some bytes, in base64url: 43 characters. */
export function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64url');
}

/** The ETag of an object of these parts: MD5 of the concatenated MD5s, then `-` and their number. */
export function compositeEtag(parts: readonly Pick<UploadedPart, 'etag'>[]): string {
  const sums = createHash('md5');
  for (const part of parts) sums.update(part.etag, 'hex');
  return `${sums.digest('hex')}-${parts.length}`;
}

/** Throws `InvalidRequest` unless the key is 1 to 1,024 bytes of well-formed Unicode. */
export function checkKey(key: string): void {
  if (key === '')
    throw new StoreError('InvalidRequest', 'The key is empty. An object needs a key of at least one byte.');
  const bytes = Buffer.byteLength(key);
  if (bytes > 1024) {
    throw new StoreError(
      'InvalidRequest',
      `A key of ${bytes} bytes is too long: the limit is 1,024 bytes of UTF-8.`,
    );
  }
  checkUnicode(key);
}

/** Throws `InvalidRequest` if the key holds half a surrogate pair. */
export function checkUnicode(key: string): void {
  if (/\p{Surrogate}/u.test(key)) {
    throw new StoreError('InvalidRequest', 'The key holds half a surrogate pair: keys are Unicode strings.');
  }
}

/** Throws `NotSupported` if the source of a copy is in another bucket. */
export function checkBucket(uri: string, own: string, { bucket = own }: CopyOptions = {}): void {
  if (bucket === own) return;
  throw new StoreError(
    'NotSupported',
    `${uri} cannot copy from another bucket (${bucket}): read there and write here.`,
  );
}

/** Throws `InvalidRequest` unless the part number is 1 to 10,000. */
export function checkPartNumber(number: number): void {
  if (!Number.isInteger(number) || number < 1 || number > 10_000) {
    throw new StoreError('InvalidRequest', `Part number ${number} is outside 1 to 10,000. Use larger parts.`);
  }
}

/** Throws `InvalidRequest` unless parts are named in ascending order, each once. */
export function checkPartOrder(parts: readonly UploadedPart[]): void {
  if (parts.length === 0)
    throw new StoreError(
      'InvalidRequest',
      'Complete names no part: an upload needs at least one, of any size.',
    );
  parts.forEach((part, i) => {
    const previous = parts[i - 1];
    if (previous !== undefined && previous.number >= part.number) {
      throw new StoreError('InvalidRequest', 'Complete must name parts in ascending order, each once.');
    }
  });
}

/** Checks the parts that Complete names against the uploaded ones. Throws `InvalidRequest`, `InvalidPart`, `TooSmall`. */
export function checkParts(
  key: string,
  named: readonly UploadedPart[],
  uploaded: (number: number) => UploadedPart | undefined,
  minimumPartSize: number,
): void {
  checkPartOrder(named);
  for (const part of named) {
    if (uploaded(part.number)?.etag !== part.etag) {
      throw new StoreError(
        'InvalidPart',
        `Part ${part.number} of ${key} was not uploaded, or has another ETag. Upload it again.`,
      );
    }
  }
  for (const part of named.slice(0, -1)) {
    const size = uploaded(part.number)?.size ?? 0;
    if (size < minimumPartSize) {
      throw new StoreError(
        'TooSmall',
        `Part ${part.number} of ${key} has ${size} bytes; every part but the last needs ${minimumPartSize}.`,
      );
    }
  }
}

/** The page size, validated. Throws `InvalidRequest`. */
export function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return maxPage;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxPage) {
    throw new StoreError('InvalidRequest', `A page holds 1 to ${maxPage} entries, not ${limit}.`);
  }
  return limit;
}

/** The first string after all strings that start with `prefix`, in UTF-8 order; `undefined` if there is none. */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (c) => c.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last < 0x10ffff) {
      const next = last + 1 === 0xd800 ? 0xe000 : last + 1;
      return String.fromCodePoint(...points, next);
    }
  }
  return undefined;
}

/** Compares by key, then by id: the order of upload listings. */
export function compareUploads(a: UploadCursor, b: UploadCursor): number {
  return compareKeys(a.key, b.key) || compareKeys(a.uploadId, b.uploadId);
}

export function noSuchUpload(key: string, uploadId: string): StoreError {
  return new StoreError(
    'NotFound',
    `Upload ${uploadId} of ${key} is not in progress: it was completed or aborted, or never existed.`,
    {
      serverCode: 'NoSuchUpload',
      status: 404,
    },
  );
}
