/**
 * Copies one object in the cheapest way:
 *
 * - nothing, if it already exists and may be skipped;
 * - on one server, one request, or above 5 GiB one per part, without downloading;
 * - between stores, get and put, or part by part if it is large; to a local directory each range is written to its place in one
 *   file, as it comes.
 *
 * Reads are pinned to the ETag in the listing: an object that changes meanwhile is an error, never a mixture of versions.
 * Metadata and content headers are copied, too.
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
import {
  copyLimits,
  etagOf,
  marked,
  markOf,
  partsOf,
  publish,
  type BufferPool,
} from '../../../store/multipart/index.js';
import { describedContent } from '../../writer/index.js';
import type { Place } from '../place.js';
import type { Cleanups } from './cleanups.js';
import type { Containment } from './containment.js';
import { multipart } from './multipart.js';
import { resumeFileOf } from './resumeFile.js';
import { oneObject, proven, sameFile } from './proof.js';
import { isSame, type Step, type Task } from './task.js';
import type { Window } from './window.js';

/** Shared by the copies of one operation. */
export interface CopySettings {
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
  /** A move: the source is removed afterwards, so it must be proven not to be the target itself (`proof.ts`). */
  readonly removesSource: boolean;
  /** Writes resume files of interrupted uploads, next to their targets or in a separate directory. */
  readonly resume: { readonly directory: Place | undefined } | undefined;
}

/** `marked`: the written object gets a put-id. */
type Marking = CopySettings & { readonly marked: boolean };

export function copyObject(task: Task, settings: CopySettings): Observable<Step> {
  const copied = sameFile(task).pipe(
    concatMap((same) => {
      if (same === true) return throwError(() => oneObject(task));
      const unproven = settings.removesSource && same === undefined;
      return there(task, settings, unproven).pipe(
        concatMap((found) => {
          const target = found === 'unknown' ? undefined : found;
          if (
            target !== undefined &&
            (settings.skipExisting || (settings.skipSame && isSame(task.source, target)))
          )
            return skipped(task, settings, target);
          if (target !== undefined && !settings.overwrite) return throwError(() => alreadyThere(task));
          // A create-only write proves that the target did not exist.
          const doubtful = unproven && settings.overwrite && found !== undefined;
          const how = { ...settings, marked: doubtful || !settings.overwrite };
          const written = isSameServer(task.from.location, task.to.location)
            ? onServer(task, how)
            : between(task, how);
          return doubtful ? written.pipe(concatMap((step) => proven(task, step))) : written;
        }),
      );
    }),
  );
  return concat(settings.containment.check(task), copied);
}

/** The object at the target. Makes no request if it does not matter. */
function there(
  task: Task,
  settings: CopySettings,
  unproven: boolean,
): Observable<ObjectInfo | 'unknown' | undefined> {
  return defer(() => {
    if (settings.overwrite && !settings.skipSame && !settings.skipExisting && !unproven) return of(undefined);
    if (task.seen?.covers(task.key) === true) return of(task.seen.get(task.key));
    return settings.window.run(task, 0, task.to.store.head(task.key)).pipe(
      // With permission to write only, the condition of the write decides.
      catchError((error: unknown) => {
        if (isStoreError(error, 'NotFound')) return of(undefined);
        return isStoreError(error, 'PermissionDenied') ? of('unknown' as const) : throwError(() => error);
      }),
    );
  });
}

/** Skips the object, and removes the resume file that a crash after its Complete may have left. */
function skipped(task: Task, settings: CopySettings, { etag }: ObjectInfo): Observable<Step> {
  const { size } = task.source;
  const step: Step = { bytes: size, skipped: size, same: true, etag };
  const resumeFile =
    settings.resume === undefined || size <= settings.partSize
      ? undefined
      : resumeFileOf(task, partsOf(size, settings.partSize), settings.resume.directory);
  if (resumeFile === undefined) return of(step);
  const tidied = settings.window.run(task, 0, resumeFile.tidy()).pipe(
    ignoreElements(),
    // A resume file that is left is harmless.
    catchError(() => EMPTY),
  );
  return concat(tidied, of(step));
}

function onServer(task: Task, settings: Marking): Observable<Step> {
  const { from, to, source, key } = task;
  const remote = to.scheme !== 'file' && to.scheme !== 'memory';
  const pinned = {
    ifMatch: source.etag,
    ...(isSameBucket(from.location, to.location) ? {} : { bucket: from.location.bucket }),
  };
  if (!settings.marked && source.size <= (remote ? copyLimits.remote : copyLimits.local)) {
    const request = defer(() => to.store.copy(source.key, key, pinned));
    return settings.window
      .run(task, remote ? 0 : source.size, request)
      .pipe(map(({ etag }) => ({ bytes: source.size, skipped: 0, etag })));
  }
  // A server-side copy supports neither a condition on its target nor a mark; a put and a Complete do.
  if (source.size <= settings.partSize) return whole(task, settings);
  const parts = partsOf(
    source.size,
    remote ? Math.max(copyLimits.copied, settings.partSize) : settings.partSize,
  );
  return multipart({
    ...settings,
    task,
    parts,
    partBytes: remote ? 0 : parts.size,
    describe: described(task),
    resumeFile: undefined,
    fill: ({ uploadId }, number, range) =>
      to.store.copyPart(key, uploadId, number, { ...pinned, key: source.key, range }),
  });
}

function between(task: Task, settings: Marking): Observable<Step> {
  const { from, to, source, key } = task;
  if (source.size <= settings.partSize) return whole(task, settings);
  const parts = partsOf(source.size, settings.partSize);
  const { inPlace } = to.location;
  const { etag: ifMatch } = source;
  return multipart({
    ...settings,
    task,
    parts,
    partBytes: parts.size,
    describe: described(task),
    ...(inPlace === undefined
      ? {}
      : { layout: { size: source.size, partSize: parts.size, etag: source.etag } }),
    resumeFile:
      settings.resume === undefined ? undefined : resumeFileOf(task, parts, settings.resume.directory),
    fill: ({ uploadId, laidOut }, number, range) =>
      laidOut && inPlace !== undefined
        ? inPlace.fillPart(key, uploadId, number, (take) =>
            from.store
              .get(source.key, { range, ifMatch, take })
              .pipe(concatMap(({ chunks }) => (chunks.length > 0 ? take(chunks, 0) : of(undefined)))),
          )
        : withBuffer(settings.memory, range.end - range.start, (into) =>
            from.store
              .get(source.key, { range, ifMatch, into })
              .pipe(concatMap(({ chunks }) => to.store.uploadPart(key, uploadId, number, join(chunks)))),
          ),
  });
}

/**
 * Runs a request with a buffer. If the request fails or is unsubscribed from, the store may still use the buffer, so it is
 * not reused.
 */
function withBuffer<T>(
  memory: BufferPool,
  size: number,
  request: (into: Buffer) => Observable<T>,
): Observable<T> {
  return defer(() => {
    const buffer = memory.take(size);
    let ended = false;
    return request(buffer).pipe(
      tap({ complete: () => (ended = true) }),
      finalize(() => (ended ? memory.give(buffer) : memory.lose(buffer))),
    );
  });
}

/** Copies with one get and one put. */
function whole(task: Task, settings: Marking): Observable<Step> {
  const { from, to, source, key } = task;
  const { size, etag } = source;
  const putId = settings.marked ? randomUUID() : undefined;
  const request = withBuffer(settings.memory, size, (into) =>
    from.store.get(source.key, { ifMatch: etag, into }).pipe(
      concatMap(({ info, chunks }) => {
        if (info.size !== size) return throwError(() => wrongSize(task, info));
        const described = { ...descriptionOf(info, task), copyOf: etag };
        if (putId === undefined) return to.store.put(key, join(chunks), described);
        const options = marked(described, putId);
        if (settings.overwrite) return to.store.put(key, join(chunks), options);
        const put = to.store.put(key, join(chunks), { ...options, ifNoneMatch: '*' });
        const identity = { mark: markOf(putId), size };
        const { clock } = settings;
        const publishing = { store: to.store, key, identity, exclusive: false, clock, random: Math.random };
        return publish(publishing, put).pipe(map(etagOf));
      }),
    ),
  );
  return settings.window.run(task, size, request).pipe(
    map((written) => ({
      bytes: size,
      skipped: 0,
      etag: written.etag,
      ...(putId === undefined ? {} : { putId }),
    })),
  );
}

/** Listings contain no metadata, so this takes a HEAD. */
function described(task: Task): Observable<UploadOptions> {
  const { from, source } = task;
  return defer(() => from.store.head(source.key, { ifMatch: source.etag })).pipe(
    map((info) => descriptionOf(info, task)),
  );
}

function descriptionOf({ metadata, content }: ObjectInfo, { from, to, key }: Task): UploadOptions {
  const described = metadata === undefined ? {} : { metadata };
  // Files have no content type, so it is derived from the name.
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
