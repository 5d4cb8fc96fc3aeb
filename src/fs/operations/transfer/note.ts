/**
 * What an interrupted copy leaves behind to be continued: a note that names the upload and the very source that its parts
 * come from. Servers tell nothing about an upload but its parts, and so the note is an object of its own.
 *
 * 1. The upload is created, then the note written, then parts sent.
 * 2. The next copy finds the note. If the source still has its ETag and size, the parts that the server lists, each
 *    of the size it must have, are those of this source, and only the others are sent. Else the old upload is dropped.
 * 3. The note goes when the object is complete. One that a crash left behind goes with the next copy, or says nothing to
 *    anybody: the upload that it names is over.
 *
 * Any object may have the name of a note. So a note is only ever created, and only removed once its content has proven what
 * it is; where something else has the name, there is no note. An object that is itself copied to such a name is copied
 * alone (`transfer.ts`): otherwise it could come between that proof and the removal.
 */
import { catchError, concatMap, defer, EMPTY, map, of, throwError, type Observable } from 'rxjs';
import { isInDoubt, isStoreError } from '../../../store/errors.js';
import { join, md5 } from '../../../store/helpers.js';
import type { ObjectStore, UploadedPart } from '../../../store/objectStore.js';
import { listedParts } from '../../../store/pages.js';
import { directoryOf, nameOf, type Place } from '../place.js';
import type { Parts } from '../../../store/multipart/index.js';
import type { Task } from './task.js';

const version = 1;

/** An upload to send parts to, and those that it has. */
export interface Begun {
  readonly uploadId: string;
  /** In the metadata of what it becomes. */
  readonly putId: string;
  readonly arrived: ReadonlyMap<number, UploadedPart>;
}

export interface Note {
  /** The upload to go on with; `stale` is one that nobody can. Asks nothing where there can be none. */
  read(): Observable<Begun | { readonly stale: string } | undefined>;
  /** Whether it is there now: not where something else has the name, nor for who may not write it. */
  write(uploadId: string, putId: string): Observable<boolean>;
  /** Erases the note of an upload; anything else stays. */
  erase(uploadId: string): Observable<unknown>;
  /** Erases a note of the target that may be there. */
  tidy(): Observable<unknown>;
}

interface Written {
  readonly version: number;
  readonly to: string;
  readonly uploadId: string;
  readonly putId: string;
  readonly etag: string;
  readonly size: number;
  readonly partSize: number;
}

/** The name of the note beside an object. */
export function noteBeside(key: string): string {
  const name = nameOf(key);
  return `${key.slice(0, key.length - name.length)}.${name}.millrace-partial`;
}

/** Whether an object of this key has the name of a note. */
export function namedLikeNote(key: string): boolean {
  const name = nameOf(key);
  return name.startsWith('.') && name.endsWith('.millrace-partial');
}

/** No note is larger. Bytes. */
const largest = 16 * 1024;

/** The note at a key; `undefined` if there is nothing, or something else. */
function read(store: ObjectStore, at: string): Observable<Written | undefined> {
  return store.get(at, { range: { start: 0, end: largest } }).pipe(
    map(({ chunks }) => parse(join(chunks))),
    catchError((error: unknown) =>
      isStoreError(error, 'NotFound') ? of(undefined) : throwError(() => error),
    ),
  );
}

/** Erases the note at a key that `is` the one meant; where there is none, nothing is written: with versions, a delete would be. */
function erase(store: ObjectStore, at: string, is: (note: Written) => boolean): Observable<unknown> {
  return defer(() => read(store, at)).pipe(
    concatMap((found) => (found !== undefined && is(found) ? store.delete([at]) : EMPTY)),
  );
}

/** Erases the note beside a target that names this upload. */
export function eraseBeside(store: ObjectStore, key: string, uploadId: string): Observable<unknown> {
  return erase(store, noteBeside(key), (note) => note.uploadId === uploadId);
}

/** The note of a copy, beside its target or below `directory`. None where its name would be longer than a key may be. */
export function noteOf(task: Task, parts: Parts, directory: Place | undefined): Note | undefined {
  const { to, key, source } = task;
  const uri = to.uri(key);
  const beside = directory === undefined;
  const at = beside ? noteBeside(key) : `${directoryOf(directory.key)}${md5(Buffer.from(uri))}.json`;
  const store = beside ? to.store : directory.store;
  if (Buffer.byteLength(at) > 1024) return undefined;
  const expected = { version, to: uri, etag: source.etag, size: source.size, partSize: parts.size };
  // The listing of the target tells of what lies beside.
  const absent = beside && task.seen?.covers(at) === true && task.seen.get(at) === undefined;
  return {
    read: () =>
      absent
        ? of(undefined)
        : read(store, at).pipe(
            concatMap((found) => {
              if (found?.to !== uri) return of(undefined);
              const fits = Object.entries(expected).every(
                ([name, value]) => found[name as keyof Written] === value,
              );
              return fits ? arrived(to.store, key, found, parts) : of({ stale: found.uploadId });
            }),
            // Without the right to list, S3 says 403 for an object that is missing.
            catchError((error: unknown) =>
              isStoreError(error, 'PermissionDenied') ? of(undefined) : throwError(() => error),
            ),
          ),
    write: (uploadId, putId) => {
      const body = Buffer.from(JSON.stringify({ ...expected, uploadId, putId }));
      return store.put(at, body, { ifNoneMatch: '*' }).pipe(
        map(() => true),
        catchError((error: unknown) => {
          if (isStoreError(error, 'PermissionDenied', 'NotSupported')) return of(false);
          if (!isStoreError(error, 'AlreadyExists', 'PreconditionFailed') && !isInDoubt(error))
            return throwError(() => error);
          return read(store, at).pipe(map((found) => found?.uploadId === uploadId));
        }),
      );
    },
    erase: (uploadId) => erase(store, at, (note) => note.uploadId === uploadId),
    tidy: () => (absent ? EMPTY : erase(store, at, (note) => note.to === uri)),
  };
}

/** The parts that are there, in full. An upload that is over is stale. */
function arrived(
  store: ObjectStore,
  key: string,
  { uploadId, putId }: Written,
  parts: Parts,
): Observable<Begun | { readonly stale: string }> {
  const whole = ({ number, size }: UploadedPart): boolean => {
    const { start, end } = parts.range(number);
    return number <= parts.count && size === end - start;
  };
  return listedParts(store, key, uploadId).pipe(
    map((found) => ({ uploadId, putId, arrived: new Map([...found].filter(([, part]) => whole(part))) })),
    catchError((error: unknown) =>
      isStoreError(error, 'NotFound') ? of({ stale: uploadId }) : throwError(() => error),
    ),
  );
}

/** A note that another version wrote, or that is damaged, says nothing. */
function parse(body: Uint8Array): Written | undefined {
  try {
    const found = JSON.parse(Buffer.from(body).toString()) as Partial<Written> | null;
    const whole = typeof found?.uploadId === 'string' && typeof found.putId === 'string';
    return whole && found.version === version ? (found as Written) : undefined;
  } catch {
    return undefined;
  }
}
