import { catchError, concat, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import type { Attempt } from '../../flow/index.js';
import { pause } from '../../flow/pause.js';
import { isInDoubt, isStoreError } from '../../store/errors.js';
import { md5 } from '../../store/helpers.js';
import type { ObjectStore, UploadedPart } from '../../store/objectStore.js';
import { listedParts } from '../../store/pages.js';
import type { Writer } from '../../formats/writer.js';
import type { CheckpointData } from '../../store/services.js';
import type { PublishOutcome } from '../twoPhase/kind.js';
import { uriOf, type FileCommittable } from './committable.js';
import { ForeignObject, LostUpload } from './errors.js';
import { notOurs } from './ownership.js';
import type { Places } from './places.js';
import { restOf, sealOf } from './rest.js';
import { uidMetadata } from './uploads.js';

type Step = PublishOutcome<FileCommittable>;
const mine = (file: FileCommittable): Step => ({ is: 'mine', committable: file });

const repairs = 5;
/** Before Complete is asked again, at least. */
const pauseMs = 500;

/**
 * Publishes a file that a durable manifest names, idempotently, whichever attempt wrote it:
 *
 * 1. Closed, {upload, parts 1..k}: Complete.
 * 2. Sealed by a restore, {upload, parts 1..k, tail}: upload the tail as part k+1, then Complete 1..k+1. A zombie may
 *    overwrite part k+1 in between; Complete then refuses (InvalidPart), and both are done again.
 * 3. All tail: create an upload, put the tail in, amend the committable; a later manifest names the upload, and only
 *    then is it completed, as in 1. So nothing is ever published by an upload that no manifest knows.
 * 4. Any doubt about an answer: HEAD. An object with our uid (or our composite ETag) and our length is ours, and the
 *    work is done. Another one is foreign. None at all: if the upload is still there, Complete is asked again in a
 *    while; if it is gone, the file is lost, or already taken by a consumer.
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
      if (tail === undefined && seal === undefined)
        return this.#complete(store, file, uploadId, file.parts, undefined, repairs);
      return restOf(file, this.data, this.format).pipe(
        concatMap(({ file: whole, bytes }) =>
          this.#seal(store, whole, uploadId, bytes, whole.parts, repairs),
        ),
      );
    });
  }

  #begin(store: ObjectStore, file: FileCommittable): Observable<Step> {
    const { key } = file;
    return restOf(file, this.data, this.format).pipe(
      concatMap(({ file: { size }, bytes }) =>
        store.createUpload(key, { metadata: { [uidMetadata]: file.uid } }).pipe(
          concatMap(({ uploadId }) =>
            store.uploadPart(key, uploadId, 1, bytes).pipe(
              map(({ etag }): Step => {
                const parts = [{ number: 1, etag, size: bytes.length }];
                return {
                  is: 'notYet',
                  amended: { ...file, size, uploadId, parts, tail: undefined, seal: undefined },
                };
              }),
            ),
          ),
        ),
      ),
    );
  }

  #seal(
    store: ObjectStore,
    file: FileCommittable,
    uploadId: string,
    tail: Buffer,
    parts: readonly UploadedPart[],
    left: number,
  ): Observable<Step> {
    const number = parts.length + 1;
    return store.uploadPart(file.key, uploadId, number, tail).pipe(
      map(({ etag }) => [...parts, { number, etag, size: tail.length }]),
      catchError((error: unknown) => {
        const all = [...parts, { number, etag: md5(tail), size: tail.length }];
        return this.#prove(store, file, uploadId, all, error);
      }),
      concatMap((all) => ('is' in all ? of(all) : this.#complete(store, file, uploadId, all, tail, left))),
    );
  }

  #complete(
    store: ObjectStore,
    file: FileCommittable,
    uploadId: string,
    parts: readonly UploadedPart[],
    tail: Buffer | undefined,
    left: number,
  ): Observable<Step> {
    const again = defer(() => this.#complete(store, file, uploadId, parts, tail, left - 1));
    return store.completeUpload(file.key, uploadId, parts).pipe(
      map(() => mine(file)),
      catchError((error: unknown) =>
        isStoreError(error, 'InvalidPart') && left > 0
          ? this.#repair(store, file, uploadId, parts, tail, left - 1, error)
          : this.#prove(store, file, uploadId, parts, error, left > 0 ? again : undefined),
      ),
    );
  }

  /**
   * Complete refused a part. The tail is uploaded anew, since a zombie may have written its place. The parts before it
   * only ever had one content, so where the server now tells another ETag for one (a repeated request; under KMS ETags
   * are never the same twice) and its size agrees, that ETag is as good.
   */
  #repair(
    store: ObjectStore,
    file: FileCommittable,
    uploadId: string,
    parts: readonly UploadedPart[],
    tail: Buffer | undefined,
    left: number,
    error: Error,
  ): Observable<Step> {
    return listedParts(store, file.key, uploadId).pipe(
      catchError((failure: unknown) =>
        isStoreError(failure, 'PermissionDenied') ? of(undefined) : throwError(() => failure),
      ),
      concatMap((listed) => {
        const mine = parts.slice(0, file.parts.length);
        const now = mine.map((part) => {
          const there = listed?.get(part.number);
          if (listed === undefined) return part;
          if (there?.size !== part.size) throw error;
          return { ...part, etag: there.etag };
        });
        if (tail !== undefined) return this.#seal(store, file, uploadId, tail, now, left);
        return this.#complete(store, file, uploadId, now, undefined, left);
      }),
      catchError((failure: unknown) => this.#prove(store, file, uploadId, parts, failure)),
    );
  }

  /** Looks whether the object is there in spite of `error`, and ours. `again`: what to do if the upload still waits. */
  #prove(
    store: ObjectStore,
    file: FileCommittable,
    uploadId: string,
    parts: readonly UploadedPart[],
    error: unknown,
    again?: Observable<Step>,
  ): Observable<Step> {
    const gone = isStoreError(error, 'NotFound', 'PreconditionFailed', 'AlreadyExists');
    if (!gone && !isInDoubt(error)) return throwError(() => error);
    return store.head(file.key).pipe(
      map((info): Step => {
        const why = notOurs(info, file, parts);
        if (why === undefined) return mine(file);
        return { is: 'foreign', error: new ForeignObject(uriOf(file), why, error) };
      }),
      catchError((failure: unknown) => {
        if (!isStoreError(failure, 'NotFound')) return throwError(() => failure);
        return this.#missing(store, file, uploadId, parts, error, again);
      }),
    );
  }

  #missing(
    store: ObjectStore,
    file: FileCommittable,
    uploadId: string,
    parts: readonly UploadedPart[],
    error: unknown,
    again: Observable<Step> = throwError(() => error),
  ): Observable<Step> {
    const { clock, random } = this.attempt;
    if (isStoreError(error, 'NotFound'))
      return of<Step>({ is: 'lost', error: new LostUpload(uriOf(file), file, error) });
    // Some servers answer 500 for an upload they do not know; its parts tell. If it is gone, the request may have done
    // its work only after the look at the object: look again.
    return listedParts(store, file.key, uploadId).pipe(
      map(() => concat(pause(clock, pauseMs * (1 + random())), again)),
      catchError((failure: unknown) => {
        if (isStoreError(failure, 'NotFound')) return of(this.#prove(store, file, uploadId, parts, failure));
        return throwError(() => error);
      }),
      concatMap((then) => then),
    );
  }
}
