import { concatMap, defer, map, type Observable } from 'rxjs';
import type { Attempt } from '../../flow/index.js';
import { uriBelow } from '../../path/index.js';
import { ForeignObject, LostUpload, publishSealed } from '../../store/multipart/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import type { Writer } from '../../formats/writer.js';
import type { CheckpointData } from '../../store/services.js';
import type { PublishOutcome } from '../twoPhase/kind.js';
import { type FileCommittable } from './committable.js';
import { uidMetadata, uploadOf } from './objectOptions.js';
import type { Places } from './places.js';
import { restOf, sealOf } from './rest.js';

type Step = PublishOutcome<FileCommittable>;

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
    const { key, uid, parts, seal } = file;
    const mark = { name: uidMetadata, value: uid };
    // Another version of a library may seal the same rows in other bytes, and may have done so before its answer was lost.
    const size = seal === undefined ? file.size : undefined;
    return publishSealed({ store, key, uploadId, mark, size, parts, tail }, this.attempt).pipe(
      map((outcome): Step => {
        if (outcome.is === 'ours') return { is: 'mine', committable: file };
        if (outcome.is === 'lost')
          return { is: 'lost', error: new LostUpload(uriBelow(file.store, file.key), file, outcome.error) };
        return {
          is: 'foreign',
          error: new ForeignObject(uriBelow(file.store, file.key), outcome.why, outcome.error),
        };
      }),
    );
  }
}
