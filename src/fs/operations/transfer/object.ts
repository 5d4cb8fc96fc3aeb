/**
 * One object from one place to another, in the way that takes the least:
 *
 * - nothing, if it is there already and that is good enough;
 * - on one server, one request, or above 5 GiB one for each of its parts, and no byte comes here;
 * - between stores, get and put; or part by part if it has several.
 *
 * All that is read is pinned by the ETag that the listing told: an object that changes meanwhile is an error, never a
 * mixture. Metadata and content headers go along.
 */
import { randomUUID } from 'node:crypto';
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  finalize,
  ignoreElements,
  map,
  of,
  tap,
  throwError,
  type Observable,
} from 'rxjs';
import type { Clock } from '../../../flow/index.js';
import { isStoreError, StoreError } from '../../../store/errors.js';
import { join } from '../../../store/helpers.js';
import type { ObjectInfo, UploadOptions } from '../../../store/objectStore.js';
import { isSameBucket, isSameServer } from '../../../store/relation.js';
import { etagOf, marked, markOf, partsOf, publish, type BufferPool } from '../../../store/multipart/index.js';
import { describedContent } from '../../writer/index.js';
import type { Place } from '../place.js';
import type { Cleanups } from './cleanups.js';
import type { Containment } from './containment.js';
import { multipart } from './multipart.js';
import { noteOf } from './note.js';
import { oneObject, proven, sameFile } from './proof.js';
import { isSame, type Step, type Task } from './task.js';
import type { Window } from './window.js';

const MiB = 2 ** 20;

/** What the copies of one operation share. */
export interface Means {
  readonly window: Window;
  readonly memory: BufferPool;
  readonly cleanups: Cleanups;
  readonly containment: Containment;
  readonly clock: Clock;
  readonly requestsAtOnce: number;
  readonly objectsAtOnce: number;
  readonly partSize: number;
  readonly overwrite: boolean;
  readonly skipSame: boolean;
  readonly skipExisting: boolean;
  /** It is removed afterwards: so it must be proven that it is not the target itself (`proof.ts`). */
  readonly sourceGoes: boolean;
  /** Keeps notes of interrupted uploads, beside their targets or in a place of their own. */
  readonly resume: { readonly directory: Place | undefined } | undefined;
}

/** `marked`: what is written carries a put-id. */
type Marking = Means & { readonly marked: boolean };

export function copyObject(task: Task, means: Means): Observable<Step> {
  const copied = sameFile(task).pipe(
    concatMap((same) => {
      if (same === true) return throwError(() => oneObject(task));
      const unproven = means.sourceGoes && same === undefined;
      return there(task, means, unproven).pipe(
        concatMap((found) => {
          const target = found === 'unknown' ? undefined : found;
          if (target !== undefined && (means.skipExisting || (means.skipSame && isSame(task.source, target))))
            return skipped(task, means, target);
          if (target !== undefined && !means.overwrite) return throwError(() => alreadyThere(task));
          // What only creates proves by itself that there was nothing.
          const doubtful = unproven && means.overwrite && found !== undefined;
          const how = { ...means, marked: doubtful || !means.overwrite };
          const written = isSameServer(task.from.location, task.to.location)
            ? onServer(task, how)
            : between(task, how);
          return doubtful ? written.pipe(concatMap((step) => proven(task, step))) : written;
        }),
      );
    }),
  );
  return concat(means.containment.check(task), copied);
}

/** What is at the target; not asked for where it makes no difference. */
function there(task: Task, means: Means, unproven: boolean): Observable<ObjectInfo | 'unknown' | undefined> {
  return defer(() => {
    if (means.overwrite && !means.skipSame && !means.skipExisting && !unproven) return of(undefined);
    if (task.seen?.covers(task.key) === true) return of(task.seen.get(task.key));
    return means.window.run(task, 0, task.to.store.head(task.key)).pipe(
      // Who may only write cannot look; then the condition of the write itself decides.
      catchError((error: unknown) => {
        if (isStoreError(error, 'NotFound')) return of(undefined);
        return isStoreError(error, 'PermissionDenied') ? of('unknown' as const) : throwError(() => error);
      }),
    );
  });
}

/** A crash right after a Complete leaves its note behind; it is found here. */
function skipped(task: Task, means: Means, { etag }: ObjectInfo): Observable<Step> {
  const { size } = task.source;
  const step: Step = { bytes: size, skipped: size, same: true, etag };
  const note =
    means.resume === undefined || size <= means.partSize
      ? undefined
      : noteOf(task, partsOf(size, means.partSize), means.resume.directory);
  if (note === undefined) return of(step);
  const tidied = means.window.run(task, 0, note.tidy()).pipe(
    ignoreElements(),
    // It does no harm.
    catchError(() => EMPTY),
  );
  return concat(tidied, of(step));
}

/** The largest object that S3 copies by one request. */
const largestCopy = 5 * 1024 * MiB;
/** Large enough that a copied part is worth its request. */
const copiedPart = 256 * MiB;
/** Where the server is this process, what it copies by one request passes its memory. */
const largestCopyHere = 64 * MiB;

function onServer(task: Task, means: Marking): Observable<Step> {
  const { from, to, source, key } = task;
  const remote = to.scheme !== 'file' && to.scheme !== 'memory';
  const pinned = {
    ifMatch: source.etag,
    ...(isSameBucket(from.location, to.location) ? {} : { bucket: from.location.bucket }),
  };
  if (!means.marked && source.size <= (remote ? largestCopy : largestCopyHere)) {
    const request = defer(() => to.store.copy(source.key, key, pinned));
    return means.window
      .run(task, remote ? 0 : source.size, request)
      .pipe(map(({ etag }) => ({ bytes: source.size, skipped: 0, etag })));
  }
  // A copy has no condition on its target and takes no mark, a put and a Complete do.
  if (source.size <= means.partSize) return whole(task, means);
  const parts = partsOf(source.size, remote ? Math.max(copiedPart, means.partSize) : means.partSize);
  return multipart({
    ...means,
    task,
    parts,
    partBytes: remote ? 0 : parts.size,
    describe: described(task),
    note: undefined,
    fill: (uploadId, number, range) =>
      to.store.copyPart(key, uploadId, number, { ...pinned, key: source.key, range }),
  });
}

function between(task: Task, means: Marking): Observable<Step> {
  const { from, to, source, key } = task;
  if (source.size <= means.partSize) return whole(task, means);
  const parts = partsOf(source.size, means.partSize);
  return multipart({
    ...means,
    task,
    parts,
    partBytes: parts.size,
    describe: described(task),
    note: means.resume === undefined ? undefined : noteOf(task, parts, means.resume.directory),
    fill: (uploadId, number, range) =>
      lent(means.memory, range.end - range.start, (into) =>
        from.store
          .get(source.key, { range, ifMatch: source.etag, into })
          .pipe(concatMap(({ chunks }) => to.store.uploadPart(key, uploadId, number, join(chunks)))),
      ),
  });
}

/**
 * Lends a request memory to read into. Of one that does not end well, the store may still be reading or writing when it
 * is over, so that its memory is never used again.
 */
function lent<T>(memory: BufferPool, size: number, request: (into: Buffer) => Observable<T>): Observable<T> {
  return defer(() => {
    const buffer = memory.take(size);
    let ended = false;
    return request(buffer).pipe(
      tap({ complete: () => (ended = true) }),
      finalize(() => (ended ? memory.give(buffer) : memory.lose(buffer))),
    );
  });
}

/** By one get and one put. */
function whole(task: Task, means: Marking): Observable<Step> {
  const { from, to, source, key } = task;
  const { size, etag } = source;
  const putId = means.marked ? randomUUID() : undefined;
  const request = lent(means.memory, size, (into) =>
    from.store.get(source.key, { ifMatch: etag, into }).pipe(
      concatMap(({ info, chunks }) => {
        if (info.size !== size) return throwError(() => wrongSize(task, info));
        const described = descriptionOf(info, task);
        if (putId === undefined) return to.store.put(key, join(chunks), described);
        const options = marked(described, putId);
        if (means.overwrite) return to.store.put(key, join(chunks), options);
        const put = to.store.put(key, join(chunks), { ...options, ifNoneMatch: '*' });
        const identity = { mark: markOf(putId), size };
        const { clock } = means;
        const publishing = { store: to.store, key, identity, exclusive: false, clock, random: Math.random };
        return publish(publishing, put).pipe(map(etagOf));
      }),
    ),
  );
  return means.window.run(task, size, request).pipe(
    map((written) => ({
      bytes: size,
      skipped: 0,
      etag: written.etag,
      ...(putId === undefined ? {} : { putId }),
    })),
  );
}

/** Listings tell no metadata. */
function described(task: Task): Observable<UploadOptions> {
  const { from, source } = task;
  return defer(() => from.store.head(source.key, { ifMatch: source.etag })).pipe(
    map((info) => descriptionOf(info, task)),
  );
}

function descriptionOf({ metadata, content }: ObjectInfo, { from, to, key }: Task): UploadOptions {
  const described = metadata === undefined ? {} : { metadata };
  // A file tells its type by its name only.
  if (from.scheme === 'file' && to.scheme !== 'file')
    return { ...described, ...describedContent(key, content) };
  return content === undefined ? described : { ...described, content };
}

function wrongSize({ from, source }: Task, { size }: ObjectInfo): StoreError {
  return new StoreError(
    'Integrity',
    `${from.uri(source.key)} has ${size} bytes, and was listed with ${source.size}. Copy it again.`,
  );
}

function alreadyThere({ to, key }: Task): StoreError {
  return new StoreError(
    'AlreadyExists',
    `${to.uri(key)} already exists. Set \`overwrite: true\` to replace it.`,
    {
      status: 412,
    },
  );
}
