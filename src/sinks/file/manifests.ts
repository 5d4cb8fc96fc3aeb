/**
 * Tells readers which files belong together: a manifest for each checkpoint that finishes files.
 *
 * 1. **Groups.** The files that a checkpoint finished are a group, named after the epoch of their attempt and that checkpoint. The
 *    files that were open in the last checkpoint of an attempt are one more group of its epoch: the next claim seals
 *    them, all in one log entry. So a group is what log entries say it is, the same for every attempt, and no file is in two.
 * 2. **Published.** Each file of a group is published and proven ours. It is not confirmed yet, so every log entry
 *    still names all of the group. *Crash:* the next attempt proves them again, without publishing them twice.
 * 3. **Manifest.** Once all files of a group exist, and all earlier groups have their manifests, the manifest is created if there
 *    is none (`If-None-Match`). One that exists is ours if it has our mark, or else it is foreign, which ends the job. Its content
 *    follows from the committables, so it does not matter which attempt wrote it. *Crash, or a lost answer:* it is found.
 * 4. **Latest.** `latest.json` names the newest manifest. It is replaced if it still is what was read (`If-Match`), and only if
 *    it names an earlier one. So a zombie cannot set it back: what it read is gone. *Crash:* the group is still named, and
 *    the next attempt writes it.
 * 5. **Confirmed.** The files of the group are confirmed, all in one turn.
 *
 * Names contain the job's id: a job that was started from a savepoint, or begins anew, has its own sequence.
 */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  endWith,
  map,
  of,
  retry,
  throwError,
  type Observable,
} from 'rxjs';
import { InvalidOption } from '../../config/units.js';
import { backoffDelay, halfJitter, type Backoff } from '../../flow/backoff.js';
import { pause } from '../../flow/clock.js';
import type { Attempt } from '../../flow/index.js';
import { uriBelow } from '../../path/index.js';
import { isInDoubt, isStoreError } from '../../store/errors.js';
import { ForeignObject, publish } from '../../store/multipart/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import { join } from '../../store/helpers.js';
import type { StoreCapabilities } from '../../store/services.js';
import type { Grouping } from '../twoPhase/kind.js';
import type { Place } from '../twoPhase/places.js';
import { escapeSink, parseUid } from '../../path/uids.js';
import type { FileCommittable } from './committable.js';
import {
  decodeLatest,
  encodeLatest,
  encodeManifest,
  largestLatest,
  manifestFolder,
  nameOf,
  positionOf,
  type ManifestFile,
} from './fileManifest.js';
import { uidMetadata } from './objectOptions.js';
import type { Places } from './places.js';

const json = { type: 'application/json' };
/** How often `latest.json` is tried again. */
const repeats = 8;
const pauses: Backoff = { first: 100, max: 8000, spread: halfJitter };

/** Writes the manifests of one sink in one attempt. */
export class Manifests implements Grouping<FileCommittable> {
  readonly #mine: string;
  /** What this attempt has written. */
  #latest: { readonly store: ObjectStore; readonly key: string; readonly etag: string } | undefined;

  constructor(
    private readonly id: string,
    private readonly attempt: Pick<Attempt, 'clock' | 'job' | 'jobId' | 'random'>,
    private readonly places: Pick<Places, 'placeOf'>,
    /** Whether `latest.json` is kept. */
    private readonly latest: boolean,
  ) {
    this.#mine = `${manifestFolder}${escapeSink(id)}/${attempt.jobId}/`;
  }

  of({ key, closed, checkpoint }: FileCommittable): string {
    const epoch = parseUid(key)?.epoch ?? 0;
    return nameOf(closed === true ? { epoch, checkpoint } : { epoch });
  }

  /** Errors: `ForeignObject`, and errors of the store. */
  announce(name: string, files: readonly FileCommittable[]): Observable<unknown> {
    return defer(() => {
      const [first] = files;
      if (first === undefined) return of(undefined);
      const place = this.places.placeOf(first);
      const folder = place.prefix + this.#mine;
      const created = this.#create(place, `${folder}${name}.json`, name, files);
      if (!this.latest) return created;
      return created.pipe(concatMap(() => this.#advance(place.store, `${folder}latest.json`, name)));
    });
  }

  /**
   * Whether the store can do it: fails with `InvalidOption` if it has no conditional writes, or ignores their conditions. Completes
   * without a value.
   */
  check({ store, prefix }: Place, { conditionalPut }: StoreCapabilities): Observable<never> {
    const refuse = (missing: string): InvalidOption =>
      new InvalidOption(
        `fileSink '${this.id}': manifests`,
        this.latest ? { latest: true } : true,
        `left out here: ${store.uri} has no ${missing}`,
      );
    if (!conditionalPut) return throwError(() => refuse('conditional writes'));
    if (!this.latest) return EMPTY;
    const trial = `${prefix}${this.#mine}trial`;
    return store.put(trial, Buffer.from('trial\n'), { ifMatch: '0'.repeat(32) }).pipe(
      map(() => true),
      catchError((error: unknown) => {
        if (isStoreError(error, 'PreconditionFailed', 'NotFound')) return of(false);
        return throwError(() =>
          isStoreError(error, 'NotSupported') ? refuse('If-Match for writes') : error,
        );
      }),
      concatMap((ignored) => {
        if (!ignored) return EMPTY;
        return store
          .delete([trial])
          .pipe(concatMap(() => throwError(() => refuse('If-Match for writes, which latest needs'))));
      }),
    );
  }

  #create(place: Place, key: string, name: string, files: readonly FileCommittable[]): Observable<unknown> {
    const { clock, random, job, jobId } = this.attempt;
    const { store } = place;
    const body = encodeManifest({
      version: 1,
      job,
      jobId,
      sink: this.id,
      ...positionOf(name),
      files: [...files].sort((a, b) => (a.uid < b.uid ? -1 : 1)).map((file) => describe(file, place.prefix)),
    });
    const mark = { name: uidMetadata, value: `${jobId}-${escapeSink(this.id)}-${name}` };
    // Not its length: another version of a library may have sealed a file in other bytes before the answer was lost.
    const identity = { mark, size: undefined };
    return publish(
      { store, key, identity, exclusive: true, clock, random },
      defer(() =>
        store.put(key, body, { ifNoneMatch: '*', metadata: { [mark.name]: mark.value }, content: json }),
      ),
    ).pipe(
      map((outcome) => {
        if (outcome.is === 'ours') return outcome;
        if (outcome.is === 'lost') throw outcome.error;
        throw new ForeignObject(uriBelow(store.uri, key), outcome.why, outcome.error);
      }),
    );
  }

  /** Sets `latest.json`, unless it names this manifest or a later one. */
  #advance(store: ObjectStore, key: string, name: string): Observable<unknown> {
    const { clock, jobId, random } = this.attempt;
    const body = encodeLatest({
      version: 1,
      jobId,
      sink: this.id,
      ...positionOf(name),
      manifest: `${name}.json`,
    });
    return defer(() => {
      const own = this.#latest;
      const etag = own?.store === store && own.key === key ? own.etag : undefined;
      this.#latest = undefined;
      return etag === undefined ? this.#read(store, key) : of({ etag, name: undefined });
    }).pipe(
      concatMap((found) => {
        if (found?.name !== undefined && found.name >= name) return of(undefined);
        const condition = found === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: found.etag };
        return store.put(key, body, { ...condition, content: json });
      }),
      map((written) => {
        if (written !== undefined) this.#latest = { store, key, etag: written.etag };
        return written;
      }),
      retry({
        count: repeats,
        delay: (error: unknown, count) => {
          // What is there now decides, whether or not the request has taken effect.
          const changed = isStoreError(error, 'AlreadyExists', 'PreconditionFailed', 'NotFound');
          const isOpen = changed || isInDoubt(error);
          if (!isOpen) throw error;
          return pause(clock, backoffDelay(pauses, count, random())).pipe(endWith(0));
        },
      }),
    );
  }

  /** What `latest.json` names now; `undefined` if there is none. Errors: `ForeignObject`. */
  #read(
    store: ObjectStore,
    key: string,
  ): Observable<{ readonly etag: string; readonly name: string } | undefined> {
    return store.get(key, { range: { start: 0, end: largestLatest + 1 } }).pipe(
      map(({ info, chunks }) => {
        const latest = decodeLatest(join(chunks));
        if (latest?.jobId !== this.attempt.jobId || latest.sink !== this.id)
          throw new ForeignObject(uriBelow(store.uri, key), 'it does not name a manifest of this sink');
        return { etag: info.etag, name: nameOf(latest) };
      }),
      catchError((error: unknown) =>
        isStoreError(error, 'NotFound') ? of(undefined) : throwError(() => error),
      ),
    );
  }
}

function describe({ store, key, size, records, times }: FileCommittable, prefix: string): ManifestFile {
  return {
    uri: uriBelow(store, key),
    partition: key.slice(prefix.length, Math.max(prefix.length, key.lastIndexOf('/'))),
    bytes: size,
    records,
    ...(times !== undefined && { times }),
  };
}
