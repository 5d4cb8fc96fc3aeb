import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import type { Attempt } from '../../flow/index.js';
import { isStoreError } from '../../store/errors.js';
import { md5 } from '../../store/helpers.js';
import { publish } from '../../store/multipart/index.js';
import type { ObjectStore, PutResult, UploadedPart } from '../../store/objectStore.js';
import { listedParts } from '../../store/pages.js';
import type { Writer } from '../../formats/writer.js';
import type { CheckpointData } from '../../store/services.js';
import type { PublishOutcome } from '../twoPhase/kind.js';
import { uriOf, type FileCommittable } from './committable.js';
import { ForeignObject, LostUpload } from './errors.js';
import { uidMetadata, uploadOf } from './objectOptions.js';
import type { Places } from './places.js';
import { restOf, sealOf } from './rest.js';

type Step = PublishOutcome<FileCommittable>;

/** How often parts are repaired before the error of Complete is final. */
const repairs = 5;

/**
 * Publishes a file that a durable manifest names, idempotently, whichever attempt wrote it:
 *
 * 1. Closed, {upload, parts 1..k}: Complete.
 * 2. Sealed by a restore, {upload, parts 1..k, tail}: upload the tail as part k+1, then Complete 1..k+1. A zombie may
 *    overwrite part k+1 in between; Complete then refuses (InvalidPart), and both are done again.
 * 3. All tail: create an upload, put the tail in, amend the committable; a later manifest names the upload, and only
 *    then is it completed, as in 1. So nothing is ever published by an upload that no manifest knows.
 * 4. `store/multipart` resolves any doubt about an answer: the file is ours, by its uid or its composite ETag and its
 *    length; foreign; or lost, or already removed by a consumer. If the upload still exists, Complete is sent again.
 *
 * A crash at any point leaves the manifest as it was, and the next attempt starts over.
 */
export class Publisher {
  constructor(
    private readonly attempt: Pick<Attempt, 'clock' | 'random'>,
    private readonly data: CheckpointData,
    private readonly places: Pick<Places, 'storeOf'>,
    private readonly format: Pick<Writer<never>, 'restore'>,
  ) {}

  /** Errors: `FormatChanged`. */
  check(file: FileCommittable): void {
    if (file.seal !== undefined) sealOf(file, this.format);
  }

  publish(file: FileCommittable): Observable<Step> {
    return defer(() => {
      const store = this.places.storeOf(file);
      const { uploadId, tail, seal } = file;
      if (uploadId === undefined) return this.#begin(store, file);
      if (tail === undefined && seal === undefined) return this.#complete(store, file, uploadId, undefined);
      return restOf(file, this.data, this.format).pipe(
        concatMap(({ file: whole, bytes }) => this.#complete(store, whole, uploadId, bytes)),
      );
    });
  }

  #begin(store: ObjectStore, file: FileCommittable): Observable<Step> {
    const { key } = file;
    return restOf(file, this.data, this.format).pipe(
      concatMap(({ file: { size }, bytes }) =>
        store.createUpload(key, uploadOf(file)).pipe(
          concatMap(({ uploadId }) =>
            store.uploadPart(key, uploadId, 1, bytes).pipe(
              map(({ etag }): Step => {
                const parts = [{ number: 1, etag, size: bytes.length }];
                return {
                  is: 'notYet',
                  amended: {
                    ...file,
                    size,
                    uploadId,
                    parts,
                    tail: undefined,
                    seal: undefined,
                    object: undefined,
                  },
                };
              }),
            ),
          ),
        ),
      ),
    );
  }

  #complete(
    store: ObjectStore,
    file: FileCommittable,
    uploadId: string,
    tail: Buffer | undefined,
  ): Observable<Step> {
    const { key, uid, size, parts } = file;
    const identity = {
      mark: { name: uidMetadata, value: uid },
      size,
      // Needed only in doubt.
      get parts() {
        return tail === undefined
          ? parts
          : [...parts, { number: parts.length + 1, etag: md5(tail), size: tail.length }];
      },
    };
    const { clock, random } = this.attempt;
    const publishing = { store, key, uploadId, identity, exclusive: true, clock, random };
    return publish(publishing, complete(publishing, parts, tail, repairs)).pipe(
      map((outcome): Step => {
        if (outcome.is === 'ours') return { is: 'mine', committable: file };
        if (outcome.is === 'lost')
          return { is: 'lost', error: new LostUpload(uriOf(file), file, outcome.error) };
        return { is: 'foreign', error: new ForeignObject(uriOf(file), outcome.why, outcome.error) };
      }),
    );
  }
}

interface Target {
  readonly store: ObjectStore;
  readonly key: string;
  readonly uploadId: string;
}

/** Completes with these parts, and the tail as the last one. Parts that the server rejects are repaired. */
function complete(
  target: Target,
  parts: readonly UploadedPart[],
  tail: Buffer | undefined,
  left: number,
): Observable<PutResult> {
  const { store, key, uploadId } = target;
  return defer(() => {
    if (tail === undefined) return of(parts);
    const uploaded = store.uploadPart(key, uploadId, parts.length + 1, tail);
    return uploaded.pipe(map((part): readonly UploadedPart[] => [...parts, part]));
  }).pipe(
    concatMap((all) => store.completeUpload(key, uploadId, all)),
    catchError((error: unknown) => {
      if (!isStoreError(error, 'InvalidPart') || left === 0) return throwError(() => error);
      return repair(target, parts, error).pipe(concatMap((now) => complete(target, now, tail, left - 1)));
    }),
  );
}

/**
 * Complete rejected a part. The tail is uploaded again, since a zombie may have overwritten it. The parts before it
 * only ever had one content, so if the server now lists another ETag for one (a repeated request; under KMS ETags are
 * never the same twice) and its size agrees, that ETag is as good.
 */
function repair(
  { store, key, uploadId }: Target,
  parts: readonly UploadedPart[],
  error: Error,
): Observable<readonly UploadedPart[]> {
  return listedParts(store, key, uploadId).pipe(
    map((listed) =>
      parts.map((part) => {
        const there = listed.get(part.number);
        if (there?.size !== part.size) throw error;
        return { ...part, etag: there.etag };
      }),
    ),
    catchError((failure: unknown) =>
      isStoreError(failure, 'PermissionDenied') ? of(parts) : throwError(() => failure),
    ),
  );
}
