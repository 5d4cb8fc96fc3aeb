/**
 * An interrupted copy is resumed by a resume file, an object that identifies the upload and the version of the source that its parts
 * come from. Servers report nothing about an upload except its parts.
 *
 * 1. The upload is created, then the resume file is written, then parts are sent.
 * 2. The next copy reads the resume file. If the source still has the same ETag and size, the listed parts of the expected size are
 *    reused, and only the others are sent. Otherwise the old upload is aborted.
 * 3. The resume file is removed when the object is complete. A resume file that a crash left is removed by the next copy, or is harmless,
 *    since its upload has ended.
 *
 * Another object may have the name of a resume file. So a resume file is created without overwriting, and removed only after its content
 * has identified it; if the name is taken, there is no resume file. An object whose target has such a name is copied alone
 * (`transfer.ts`): otherwise it could be written between that check and the removal.
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

/** An upload, with its uploaded parts. */
export interface Begun {
  readonly uploadId: string;
  /** In the metadata of the resulting object. */
  readonly putId: string;
  readonly arrived: ReadonlyMap<number, UploadedPart>;
  /** Its parts are written into one file. */
  readonly laidOut: boolean;
}

export interface ResumeFile {
  /** The upload to resume; `stale` is one that cannot be. Makes no request if there can be no resume file. */
  read(): Observable<Begun | { readonly stale: string } | undefined>;
  /** Writes the resume file. `false` if the name is taken, or writing is not permitted. */
  write(begun: Omit<Begun, 'arrived'>): Observable<boolean>;
  /** Removes the resume file of an upload, nothing else. */
  erase(uploadId: string): Observable<unknown>;
  /** Removes a resume file of the target, if any. */
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
  readonly laidOut?: boolean;
}

/** The key of the resume file next to an object. */
export function resumeFileKey(key: string): string {
  const name = nameOf(key);
  return `${key.slice(0, key.length - name.length)}.${name}.millrace-partial`;
}

/** Whether the key is that of a resume file. */
export function isResumeFileKey(key: string): boolean {
  const name = nameOf(key);
  return name.startsWith('.') && name.endsWith('.millrace-partial');
}

/** Upper bound of a resume file. Bytes. */
const largest = 16 * 1024;

/** Reads the resume file at a key; `undefined` if there is none. */
function read(store: ObjectStore, at: string): Observable<Written | undefined> {
  return store.get(at, { range: { start: 0, end: largest } }).pipe(
    map(({ chunks }) => parse(join(chunks))),
    catchError((error: unknown) =>
      isStoreError(error, 'NotFound') ? of(undefined) : throwError(() => error),
    ),
  );
}

/** Removes the resume file at a key if it `is` the right one. Without it, no delete is sent, which would create a delete marker. */
function erase(store: ObjectStore, at: string, is: (resumeFile: Written) => boolean): Observable<unknown> {
  return defer(() => read(store, at)).pipe(
    concatMap((found) => (found !== undefined && is(found) ? store.delete([at]) : EMPTY)),
  );
}

/** Removes the resume file of this upload next to its target. */
export function eraseResumeFile(store: ObjectStore, key: string, uploadId: string): Observable<unknown> {
  return erase(store, resumeFileKey(key), (resumeFile) => resumeFile.uploadId === uploadId);
}

/** The resume file of a copy, next to its target or below `directory`; `undefined` if its key would be too long. */
export function resumeFileOf(task: Task, parts: Parts, directory: Place | undefined): ResumeFile | undefined {
  const { to, key, source } = task;
  const uri = to.uri(key);
  const beside = directory === undefined;
  const at = beside ? resumeFileKey(key) : `${directoryOf(directory.key)}${md5(Buffer.from(uri))}.json`;
  const store = beside ? to.store : directory.store;
  if (Buffer.byteLength(at) > 1024) return undefined;
  const expected = { version, to: uri, etag: source.etag, size: source.size, partSize: parts.size };
  // The listing of the target includes its resume file.
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
              return fits ? arrived(to, key, found, parts) : of({ stale: found.uploadId });
            }),
            // Without permission to list, S3 responds 403 for a missing object.
            catchError((error: unknown) =>
              isStoreError(error, 'PermissionDenied') ? of(undefined) : throwError(() => error),
            ),
          ),
    write: ({ uploadId, putId, laidOut }) => {
      const body = Buffer.from(
        JSON.stringify({ ...expected, uploadId, putId, ...(laidOut ? { laidOut } : {}) }),
      );
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
    erase: (uploadId) => erase(store, at, (resumeFile) => resumeFile.uploadId === uploadId),
    tidy: () => (absent ? EMPTY : erase(store, at, (resumeFile) => resumeFile.to === uri)),
  };
}

/** The complete parts of an upload; `stale` if it has ended, `undefined` if another copy still writes into its file. */
function arrived(
  { store, location: { inPlace } }: Place,
  key: string,
  { uploadId, putId, laidOut = false }: Written,
  parts: Parts,
): Observable<Begun | { readonly stale: string } | undefined> {
  const whole = ({ number, size }: UploadedPart): boolean => {
    const { start, end } = parts.range(number);
    return number <= parts.count && size === end - start;
  };
  const claimed = laidOut ? (inPlace?.claim(key, uploadId) ?? of(false)) : of(true);
  return claimed.pipe(
    concatMap((yes) => (yes ? listedParts(store, key, uploadId) : of(undefined))),
    map(
      (found) =>
        found && {
          uploadId,
          putId,
          laidOut,
          arrived: new Map([...found].filter(([, part]) => whole(part))),
        },
    ),
    catchError((error: unknown) =>
      isStoreError(error, 'NotFound') ? of({ stale: uploadId }) : throwError(() => error),
    ),
  );
}

/** `undefined` if the resume file is damaged or of another version. */
function parse(body: Uint8Array): Written | undefined {
  try {
    const found = JSON.parse(Buffer.from(body).toString()) as Partial<Written> | null;
    const whole = typeof found?.uploadId === 'string' && typeof found.putId === 'string';
    return whole && found.version === version ? (found as Written) : undefined;
  } catch {
    return undefined;
  }
}
