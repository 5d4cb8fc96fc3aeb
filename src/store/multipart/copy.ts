import { randomUUID } from 'node:crypto';
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  ignoreElements,
  map,
  mergeMap,
  range,
  throwError,
  toArray,
  type Observable,
} from 'rxjs';
import type { Clock } from '../../flow/index.js';
import { join } from '../helpers.js';
import type { ByteRange, ObjectInfo, PutResult, UploadedPart } from '../objectStore.js';
import { isSameBucket, isSameServer, type Located } from '../relation.js';
import { partsOf } from './partSizes.js';
import { completeUpload, etagOf, marked, markOf } from './publish.js';

const MiB = 2 ** 20;

/** The copy of an immutable object to a key that only the copy writes to. */
export interface ObjectCopy {
  readonly source: Located;
  /** Its answer to HEAD. Another object under the key is `PreconditionFailed`. */
  readonly info: Pick<ObjectInfo, 'key' | 'size' | 'etag'>;
  readonly target: Located;
  readonly key: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Bytes. Default: {@link copyLimits}. */
  readonly limits?: CopyLimits;
}

export interface CopyLimits {
  /** The largest object that is copied by one request: by a server (S3's limit), and by a store in this process. */
  readonly remote: number;
  readonly local: number;
  /** The size of a part that is copied by the server, and of one that is read and written. */
  readonly copied: number;
  readonly part: number;
}

export const copyLimits: CopyLimits = {
  remote: 5 * 1024 * MiB,
  local: 64 * MiB,
  copied: 256 * MiB,
  part: 8 * MiB,
};

/**
 * Copies one object, without metadata: by the server if both are on one, in parts if it is large, otherwise through
 * memory, one part at a time. It can be repeated. Errors: those of the stores; an upload is aborted.
 */
export function copyObject(copy: ObjectCopy): Observable<PutResult> {
  const { source, info, target, key, limits = copyLimits } = copy;
  const { size } = info;
  if (!isSameServer(source, target)) {
    const read = (bounds: ByteRange) =>
      source.store
        .get(info.key, { range: bounds, ifMatch: info.etag })
        .pipe(map(({ chunks }) => join(chunks)));
    if (size <= limits.part)
      return read({ start: 0 }).pipe(concatMap((bytes) => target.store.put(key, bytes)));
    return inParts(copy, limits.part, 1, (uploadId, number, bounds) =>
      read(bounds).pipe(concatMap((bytes) => target.store.uploadPart(key, uploadId, number, bytes))),
    );
  }
  const pinned = {
    ifMatch: info.etag,
    ...(isSameBucket(source, target) ? {} : { bucket: source.bucket }),
  };
  const local = target.server === undefined;
  if (size <= (local ? limits.local : limits.remote)) return target.store.copy(info.key, key, pinned);
  return inParts(copy, local ? limits.part : limits.copied, local ? 1 : 4, (uploadId, number, bounds) =>
    target.store.copyPart(key, uploadId, number, { ...pinned, key: info.key, range: bounds }),
  );
}

function inParts(
  { info, target: { store }, key, clock, random }: ObjectCopy,
  partSize: number,
  concurrency: number,
  fill: (uploadId: string, number: number, bounds: Required<ByteRange>) => Observable<UploadedPart>,
): Observable<PutResult> {
  return defer(() => {
    const putId = randomUUID();
    const parts = partsOf(info.size, partSize);
    const identity = { mark: markOf(putId), size: info.size };
    return store.createUpload(key, marked({}, putId)).pipe(
      concatMap(({ uploadId }) =>
        range(1, parts.count).pipe(
          mergeMap((number) => fill(uploadId, number, parts.range(number)), concurrency),
          toArray(),
          concatMap((uploaded) =>
            completeUpload(
              { store, key, uploadId, identity, exclusive: false, clock, random },
              uploaded.sort((a, b) => a.number - b.number),
            ),
          ),
          map(etagOf),
          catchError((error: unknown) =>
            concat(
              store.abortUpload(key, uploadId).pipe(
                ignoreElements(),
                catchError(() => EMPTY),
              ),
              throwError(() => error),
            ),
          ),
        ),
      ),
    );
  });
}
