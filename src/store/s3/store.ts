import { crc32 } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { defer, type Observable } from 'rxjs';
import { StoreError } from '../errors.js';
import { checkKey, checkLimit, checkMetadata, checkPartNumber, checkPartOrder } from '../helpers.js';
import type {
  ByteRange,
  DeleteFailure,
  GetOptions,
  ListOptions,
  ListPage,
  Metadata,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
  UploadCursor,
  UploadedPart,
  UploadPage,
} from '../objectStore.js';
import type { S3Pool } from './connection.js';
import { deleteKeys } from './delete.js';
import type { Asked, S3Operation } from './errors.js';
import { get, head } from './get.js';
import { copySource, decodeKey, quoted, stripQuotes } from './keys.js';
import { listUploads, orGone } from './uploads.js';

/** A bucket as an {@link ObjectStore}: one method, one request of the SDK. */
export class S3Store implements ObjectStore {
  readonly uri: string;
  readonly #bucket: string;
  readonly #pool: S3Pool;

  constructor(bucket: string, pool: S3Pool) {
    this.uri = `s3://${bucket}`;
    this.#bucket = bucket;
    this.#pool = pool;
  }

  head(key: string, options: { readonly ifMatch?: string } = {}): Observable<ObjectInfo> {
    return this.#on(key, 'HeadObject', {}, (client, signal) =>
      head({ client, bucket: this.#bucket, key, signal }, options.ifMatch),
    );
  }

  get(key: string, options: GetOptions = {}): Observable<ObjectBody> {
    return this.#on(key, 'GetObject', {}, (client, signal) =>
      get({ client, bucket: this.#bucket, key, signal }, options, this.#pool.options.bodyResumes),
    );
  }

  put(key: string, body: Uint8Array, options: PutOptions = {}): Observable<PutResult> {
    const conditions = {
      ifNoneMatch: options.ifNoneMatch !== undefined,
      ifMatch: options.ifMatch !== undefined,
    };
    return this.#on(key, 'PutObject', conditions, async (client, abortSignal) => {
      checkMetadata(options.metadata);
      const input = {
        Bucket: this.#bucket,
        Key: key,
        ...this.#payload(body),
        IfNoneMatch: options.ifNoneMatch,
        IfMatch: quoted(options.ifMatch),
        Metadata: options.metadata,
        ContentType: options.content?.type,
      };
      const answer = await client.send(new PutObjectCommand(input), { abortSignal });
      return { etag: stripQuotes(answer.ETag) };
    });
  }

  list(options: ListOptions): Observable<ListPage> {
    return this.#request(
      { operation: 'ListObjectsV2', bucket: this.#bucket },
      async (client, abortSignal) => {
        const input = {
          Bucket: this.#bucket,
          Prefix: options.prefix,
          StartAfter: options.startAfter,
          Delimiter: options.delimiter,
          ContinuationToken: options.cursor,
          MaxKeys: checkLimit(options.limit),
          EncodingType: 'url' as const,
        };
        const answer = await client.send(new ListObjectsV2Command(input), { abortSignal });
        const encoding = answer.EncodingType;
        return {
          objects: (answer.Contents ?? []).map((object) => ({
            key: decodeKey(object.Key, encoding),
            size: object.Size ?? 0,
            etag: stripQuotes(object.ETag),
            modified: object.LastModified?.getTime() ?? 0,
          })),
          prefixes: (answer.CommonPrefixes ?? []).map((common) => decodeKey(common.Prefix, encoding)),
          ...(answer.IsTruncated === true && answer.NextContinuationToken !== undefined
            ? { cursor: answer.NextContinuationToken }
            : {}),
        };
      },
    );
  }

  delete(keys: readonly string[]): Observable<readonly DeleteFailure[]> {
    return this.#request({ operation: 'DeleteObjects', bucket: this.#bucket }, (client, signal) =>
      deleteKeys({ client, bucket: this.#bucket, signal }, keys),
    );
  }

  copy(from: string, to: string, options: { readonly ifMatch?: string } = {}): Observable<PutResult> {
    return this.#on(to, 'CopyObject', {}, async (client, abortSignal) => {
      checkKey(from);
      const input = {
        Bucket: this.#bucket,
        Key: to,
        CopySource: copySource(this.#bucket, from),
        CopySourceIfMatch: quoted(options.ifMatch),
      };
      const answer = await client.send(new CopyObjectCommand(input), { abortSignal });
      return { etag: stripQuotes(answer.CopyObjectResult?.ETag) };
    });
  }

  createUpload(
    key: string,
    options: { readonly metadata?: Metadata } = {},
  ): Observable<{ readonly uploadId: string }> {
    return this.#on(key, 'CreateMultipartUpload', {}, async (client, abortSignal) => {
      checkMetadata(options.metadata);
      const input = {
        Bucket: this.#bucket,
        Key: key,
        Metadata: options.metadata,
        // A checksum of the whole object, so that Complete need not repeat those of the parts.
        ...(this.#pool.options.crc32
          ? { ChecksumAlgorithm: 'CRC32' as const, ChecksumType: 'FULL_OBJECT' as const }
          : {}),
      };
      const { UploadId } = await client.send(new CreateMultipartUploadCommand(input), { abortSignal });
      if (UploadId === undefined)
        throw new StoreError('Unavailable', `CreateMultipartUpload ${key}: no id came back.`);
      return { uploadId: UploadId };
    });
  }

  uploadPart(key: string, uploadId: string, number: number, body: Uint8Array): Observable<UploadedPart> {
    return this.#upload(key, uploadId, 'UploadPart', {}, async (client, abortSignal) => {
      checkPartNumber(number);
      const input = {
        Bucket: this.#bucket,
        Key: key,
        UploadId: uploadId,
        PartNumber: number,
        ...this.#payload(body),
      };
      const answer = await client.send(new UploadPartCommand(input), { abortSignal });
      return { number, etag: stripQuotes(answer.ETag), size: body.length };
    });
  }

  copyPart(
    key: string,
    uploadId: string,
    number: number,
    from: { readonly key: string; readonly range?: ByteRange; readonly ifMatch?: string },
  ): Observable<UploadedPart> {
    return this.#upload(key, uploadId, 'UploadPartCopy', {}, async (client, abortSignal) => {
      checkPartNumber(number);
      checkKey(from.key);
      const source = { client, bucket: this.#bucket, key: from.key, signal: abortSignal };
      // The server tells neither the size of the part nor takes a range without an end.
      let range = from.range;
      let ifMatch = from.ifMatch;
      if (range?.end === undefined) {
        const source = await head(
          { client, bucket: this.#bucket, key: from.key, signal: abortSignal },
          ifMatch,
        );
        ifMatch = source.etag;
        range = { start: range?.start ?? 0, end: source.size };
      }
      const [start, end] = [range.start, range.end ?? 0];
      const input = {
        Bucket: this.#bucket,
        Key: key,
        UploadId: uploadId,
        PartNumber: number,
        CopySource: copySource(this.#bucket, from.key),
        CopySourceIfMatch: quoted(ifMatch),
        CopySourceRange: `bytes=${start}-${end - 1}`,
      };
      const answer = await client.send(new UploadPartCopyCommand(input), { abortSignal });
      // There are servers that ignore the condition here: what is the same afterwards was the same then.
      if (ifMatch !== undefined) await head(source, ifMatch);
      return { number, etag: stripQuotes(answer.CopyPartResult?.ETag), size: end - start };
    });
  }

  listParts(
    key: string,
    uploadId: string,
    after?: number,
  ): Observable<{ readonly parts: readonly UploadedPart[]; readonly next?: number }> {
    return this.#upload(key, uploadId, 'ListParts', {}, async (client, abortSignal) => {
      const input = {
        Bucket: this.#bucket,
        Key: key,
        UploadId: uploadId,
        PartNumberMarker: after === undefined ? undefined : String(after),
      };
      const answer = await client.send(new ListPartsCommand(input), { abortSignal });
      const parts = (answer.Parts ?? []).map((part) => ({
        number: part.PartNumber ?? 0,
        etag: stripQuotes(part.ETag),
        size: part.Size ?? 0,
      }));
      const last = parts.at(-1);
      return { parts, ...(answer.IsTruncated === true && last !== undefined ? { next: last.number } : {}) };
    });
  }

  listUploads(options: { readonly prefix: string; readonly after?: UploadCursor }): Observable<UploadPage> {
    return this.#request({ operation: 'ListMultipartUploads', bucket: this.#bucket }, (client, signal) =>
      listUploads({ client, bucket: this.#bucket, signal }, options),
    );
  }

  completeUpload(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    options: { readonly ifNoneMatch?: '*' } = {},
  ): Observable<PutResult> {
    const conditions = { ifNoneMatch: options.ifNoneMatch !== undefined };
    return this.#upload(key, uploadId, 'CompleteMultipartUpload', conditions, async (client, abortSignal) => {
      // Not every server looks at the order.
      checkPartOrder(parts);
      const input = {
        Bucket: this.#bucket,
        Key: key,
        UploadId: uploadId,
        IfNoneMatch: options.ifNoneMatch,
        MultipartUpload: {
          Parts: parts.map((part) => ({ PartNumber: part.number, ETag: quoted(part.etag) })),
        },
      };
      const answer = await client.send(new CompleteMultipartUploadCommand(input), { abortSignal });
      return { etag: stripQuotes(answer.ETag) };
    });
  }

  abortUpload(key: string, uploadId: string): Observable<void> {
    return this.#on(key, 'AbortMultipartUpload', {}, async (client, abortSignal) => {
      const input = { Bucket: this.#bucket, Key: key, UploadId: uploadId };
      const place = { client, bucket: this.#bucket, signal: abortSignal };
      try {
        await orGone(place, key, uploadId, () =>
          client.send(new AbortMultipartUploadCommand(input), { abortSignal }),
        );
      } catch (error) {
        if ((error as { name?: unknown }).name !== 'NoSuchUpload') throw error;
      }
    });
  }

  /** A request about a key. */
  #on<T>(
    key: string,
    operation: S3Operation,
    conditions: Partial<Asked>,
    exchange: (client: S3Client, signal: AbortSignal) => Promise<T>,
  ): Observable<T> {
    return this.#request({ operation, bucket: this.#bucket, key, ...conditions }, exchange);
  }

  /** A request about an upload. */
  #upload<T>(
    key: string,
    uploadId: string,
    operation: S3Operation,
    conditions: Partial<Asked>,
    exchange: (client: S3Client, signal: AbortSignal) => Promise<T>,
  ): Observable<T> {
    return this.#on(key, operation, conditions, (client, signal) =>
      orGone({ client, bucket: this.#bucket, signal }, key, uploadId, () => exchange(client, signal)),
    );
  }

  #request<T>(asked: Asked, exchange: (client: S3Client, signal: AbortSignal) => Promise<T>): Observable<T> {
    return defer(() => {
      if (asked.key !== undefined) checkKey(asked.key);
      return this.#pool.request(asked, exchange);
    });
  }

  #payload(body: Uint8Array): { Body: Uint8Array; ContentLength: number; ChecksumCRC32?: string } {
    if (!this.#pool.options.crc32) return { Body: body, ContentLength: body.length };
    const sum = Buffer.allocUnsafe(4);
    sum.writeUInt32BE(crc32(body));
    return { Body: body, ContentLength: body.length, ChecksumCRC32: sum.toString('base64') };
  }
}
