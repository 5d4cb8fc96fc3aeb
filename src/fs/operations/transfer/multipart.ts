/**
 * Copies one object in parts: creates an upload, or resumes one; copies the missing parts, as many concurrently as the window
 * allows; and completes it. Nothing is visible before.
 *
 * However it ends, it leaves nothing except what the next copy can resume:
 * - an unsubscribe or an error aborts the upload, unless there is a resume file of it and the error may be temporary;
 * - only the request that creates an upload is not aborted by an unsubscribe: the server may have executed it, and the id is
 *   only in the response. The upload is aborted when that arrives;
 * - after a lost response to Complete, the put-id of the object, unique to this upload, proves success; otherwise Complete is
 *   repeated.
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
  mergeMap,
  Observable,
  of,
  range,
} from 'rxjs';
import type { Clock } from '../../../flow/index.js';
import { isStoreError } from '../../../store/errors.js';
import type {
  ByteRange,
  CreatedUpload,
  Layout,
  UploadedPart,
  UploadOptions,
} from '../../../store/objectStore.js';
import { completeUpload, etagOf, marked, markOf, type Parts } from '../../../store/multipart/index.js';
import type { Cleanups } from './cleanups.js';
import type { Begun, ResumeFile } from './resumeFile.js';
import type { Step, Task } from './task.js';
import type { Window } from './window.js';

export interface Multipart {
  readonly task: Task;
  readonly parts: Parts;
  /** Bytes in memory per part. */
  readonly partBytes: number;
  readonly requestsAtOnce: number;
  readonly window: Window;
  readonly cleanups: Cleanups;
  /** Metadata and content headers for a new upload. */
  readonly describe: Observable<UploadOptions>;
  readonly fill: (upload: Begun, number: number, range: Required<ByteRange>) => Observable<UploadedPart>;
  /** Asks the target to write all parts into one file. */
  readonly layout?: Layout;
  readonly resumeFile: ResumeFile | undefined;
  readonly overwrite: boolean;
  readonly clock: Clock;
}

/** The known state of the upload on the server. */
type Phase =
  | { readonly is: 'nothing' }
  | { readonly is: 'begun' | 'resumable' | 'completed'; readonly uploadId: string };

export function multipart(copy: Multipart): Observable<Step> {
  return new Observable((out) => {
    const { store, location } = copy.task.to;
    let phase: Phase = { is: 'nothing' };
    let over = false;
    const drop = (uploadId: string): Observable<unknown> => {
      const aborted = store.abortUpload(copy.task.key, uploadId).pipe(orIgnored);
      return copy.resumeFile === undefined
        ? aborted
        : concat(aborted, copy.resumeFile.erase(uploadId).pipe(orIgnored));
    };
    const leftovers = (keep: boolean): Observable<unknown> | undefined => {
      if (phase.is === 'begun' || (phase.is === 'resumable' && !keep)) return drop(phase.uploadId);
      return phase.is === 'completed' ? copy.resumeFile?.erase(phase.uploadId).pipe(orIgnored) : undefined;
    };
    const steps = begin(copy, drop, (now) => (phase = now)).pipe(
      concatMap((begun) => sent(copy, begun, () => (phase = { is: 'completed', uploadId: begun.uploadId }))),
    );
    const running = steps.subscribe({
      next: (step) => out.next(step),
      error: (error: unknown) => {
        over = true;
        const left = leftovers(mayPass(error));
        if (left === undefined) out.error(error);
        else copy.cleanups.run(left.pipe(finalize(() => out.error(error))));
      },
      complete: () => {
        over = true;
        out.complete();
      },
    });
    return () => {
      running.unsubscribe();
      const left = over ? undefined : leftovers(true);
      if (left !== undefined) copy.cleanups.run(left);
      if (phase.is !== 'nothing') location.inPlace?.release(copy.task.key, phase.uploadId);
    };
  });
}

/** Resumes the upload of the resume file, or creates one. */
function begin(
  copy: Multipart,
  drop: (uploadId: string) => Observable<unknown>,
  enter: (phase: Phase) => void,
): Observable<Begun> {
  const { resumeFile, task, window } = copy;
  const found = resumeFile === undefined ? of(undefined) : window.run(task, 0, resumeFile.read());
  return found.pipe(
    concatMap((earlier) => {
      if (earlier === undefined) return create(copy, drop, enter);
      if ('stale' in earlier)
        return concat(
          window.run(task, 0, drop(earlier.stale)).pipe(ignoreElements()),
          create(copy, drop, enter),
        );
      enter({ is: 'resumable', uploadId: earlier.uploadId });
      return of(earlier);
    }),
  );
}

function create(
  copy: Multipart,
  drop: (uploadId: string) => Observable<unknown>,
  enter: (phase: Phase) => void,
): Observable<Begun> {
  const { resumeFile, task, window, cleanups } = copy;
  const putId = randomUUID();
  const laid = (options: UploadOptions): UploadOptions =>
    copy.layout === undefined ? options : { ...options, layout: copy.layout };
  const request = (options: UploadOptions): Observable<CreatedUpload> =>
    new Observable((out) => {
      let left = false;
      cleanups.run(
        task.to.store.createUpload(task.key, laid(marked(options, putId))).pipe(
          concatMap((created) => {
            const { uploadId } = created;
            if (left) return drop(uploadId);
            enter({ is: 'begun', uploadId });
            out.next(created);
            out.complete();
            return EMPTY;
          }),
          catchError((error: unknown) => {
            out.error(error);
            return EMPTY;
          }),
        ),
      );
      return () => (left = true);
    });
  return window.run(task, 0, copy.describe).pipe(
    concatMap((options) => window.run(task, 0, request(options))),
    concatMap(({ uploadId, laidOut = false }) => {
      const begun = { uploadId, putId, laidOut, arrived: new Map<number, UploadedPart>() };
      if (resumeFile === undefined) return of(begun);
      return window.run(task, 0, resumeFile.write(begun)).pipe(
        map((written) => (written ? enter({ is: 'resumable', uploadId }) : undefined)),
        map(() => begun),
      );
    }),
  );
}

/** Copies the missing parts, and completes. */
function sent(copy: Multipart, begun: Begun, completed: () => void): Observable<Step> {
  const { arrived } = begun;
  const { parts, task, window, resumeFile } = copy;
  const all = new Map(arrived);
  const part = (number: number): Observable<Step> => {
    const bounds = parts.range(number);
    const bytes = bounds.end - bounds.start;
    if (arrived.has(number)) return of({ bytes, skipped: bytes });
    return window.run(task, copy.partBytes, copy.fill(begun, number, bounds)).pipe(
      map((uploaded) => {
        all.set(number, uploaded);
        return { bytes, skipped: 0 };
      }),
    );
  };
  const inOrder = (): UploadedPart[] => [...all.values()].sort((a, b) => a.number - b.number);
  const last = defer(() => complete(copy, begun, inOrder())).pipe(
    map((etag): Step => {
      completed();
      return { bytes: 0, skipped: 0, etag, putId: begun.putId };
    }),
  );
  const forgotten = defer(() =>
    resumeFile === undefined
      ? EMPTY
      : window.run(task, 0, resumeFile.erase(begun.uploadId)).pipe(orIgnored, ignoreElements()),
  );
  return concat(range(1, parts.count).pipe(mergeMap(part, copy.requestsAtOnce)), last, forgotten);
}

function complete(
  { task, window, overwrite, clock }: Multipart,
  { uploadId, putId }: Begun,
  parts: readonly UploadedPart[],
): Observable<string> {
  const { key } = task;
  const { store } = task.to;
  const identity = { mark: markOf(putId), size: task.source.size };
  const publishing = { store, key, uploadId, identity, exclusive: false, clock, random: Math.random };
  const completed = completeUpload(publishing, parts, overwrite ? {} : { ifNoneMatch: '*' });
  return window.run(task, 0, completed).pipe(map((outcome) => etagOf(outcome).etag));
}

/** Whether the copy may be resumed later: not if the source has changed, or the upload has ended. */
function mayPass(error: unknown): boolean {
  return !isStoreError(error, 'PreconditionFailed', 'NotFound', 'AlreadyExists', 'InvalidPart', 'TooSmall');
}

/** Ignores errors of clean-up, which do not affect the result of the copy. */
function orIgnored<T>(request: Observable<T>): Observable<T> {
  return request.pipe(catchError(() => EMPTY));
}
