import { catchError, concat, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import { backoffDelay, halfJitter, type Backoff } from '../../flow/backoff.js';
import type { Clock } from '../../flow/index.js';
import { pause } from '../../flow/clock.js';
import { isStoreError } from '../errors.js';
import type { ObjectStore, PutResult, UploadedPart, UploadOptions } from '../objectStore.js';
import { listedParts } from '../pages.js';
import { isOutcome, nextStep, type Answer, type Identity, type Outcome, type Step } from './proof.js';

/** The metadata that proves an object ours, unless the caller has its own mark. */
export const putIdMetadata = 'millrace-put-id';

/** The description of an object, with the mark that proves it ours. */
export function marked(described: UploadOptions, putId: string): UploadOptions {
  return { ...described, metadata: { ...described.metadata, [putIdMetadata]: putId } };
}

/** The mark that {@link marked} leaves. */
export function markOf(putId: string): Identity['mark'] {
  return { name: putIdMetadata, value: putId };
}

/** How often a request in doubt is repeated. */
const repeats = 4;
const pauses: Backoff = { first: 1000, max: 8000, spread: halfJitter };

export interface Publishing {
  readonly store: ObjectStore;
  readonly key: string;
  /** The upload that is completed, if it is one. */
  readonly uploadId?: string;
  readonly identity: Identity;
  /** Only the caller writes to the key: a foreign object there is an error. */
  readonly exclusive: boolean;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export type Published = Exclude<Outcome, { is: 'failed' }>;

/**
 * Makes a request that publishes, until its outcome is definite (`proof.ts`). Errors: those of the request, if nothing
 * was published, or if the outcome cannot be determined.
 */
export function publish(publishing: Publishing, request: Observable<PutResult>): Observable<Published> {
  return follow(publishing, { is: 'ask', left: repeats }, request);
}

/** Completes an upload whose parts have arrived. */
export function completeUpload(
  publishing: Publishing & { readonly uploadId: string },
  parts: readonly UploadedPart[],
  conditions: { readonly ifNoneMatch?: '*'; readonly ifMatch?: string } = {},
): Observable<Published> {
  const { store, key, uploadId } = publishing;
  return publish(
    publishing,
    defer(() => store.completeUpload(key, uploadId, parts, conditions)),
  );
}

/** The ETag of our object. Errors: that of the request, if there is none. */
export function etagOf(outcome: Published): PutResult {
  if (outcome.is === 'ours') return { etag: outcome.etag };
  throw outcome.error;
}

function follow(publishing: Publishing, step: Step, request: Observable<PutResult>): Observable<Published> {
  if (step.is === 'failed') return throwError(() => step.error);
  if (isOutcome(step)) return of(step);
  const { identity, exclusive, uploadId } = publishing;
  const rules = { identity, exclusive, upload: uploadId !== undefined };
  return answerTo(publishing, step, request).pipe(
    concatMap((answer) => follow(publishing, nextStep(rules, step, answer), request)),
  );
}

function answerTo(
  { store, key, uploadId, clock, random }: Publishing,
  step: Exclude<Step, Outcome>,
  request: Observable<PutResult>,
): Observable<Answer> {
  switch (step.is) {
    case 'ask':
      return request.pipe(
        map(({ etag }): Answer => ({ is: 'published', etag })),
        catchError((error: unknown) => of<Answer>({ is: 'error', error })),
      );
    case 'look':
      return store.head(key).pipe(
        map((object): Answer => ({ is: 'object', object })),
        catchError((error: unknown) =>
          of<Answer>(
            isStoreError(error, 'NotFound') ? { is: 'object', object: undefined } : { is: 'error', error },
          ),
        ),
      );
    case 'list':
      return listedParts(store, key, uploadId ?? '').pipe(
        map((): Answer => ({ is: 'upload', upload: 'there' })),
        catchError((error: unknown) =>
          of<Answer>({ is: 'upload', upload: isStoreError(error, 'NotFound') ? 'gone' : 'unknown' }),
        ),
      );
    case 'wait':
      return concat(
        pause(clock, backoffDelay(pauses, repeats - step.left + 1, random())),
        of<Answer>({ is: 'waited' }),
      );
  }
}
