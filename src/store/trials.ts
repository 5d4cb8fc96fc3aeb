/** Tests of single capabilities. The names of test objects start with `at`; the caller removes them. */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  forkJoin,
  from,
  ignoreElements,
  map,
  of,
  throwError,
  toArray,
  type Observable,
} from 'rxjs';
import { sharedByCopies } from '../errors.js';
import { hasNoIdentity, isStoreError, StoreError } from './errors.js';
import { join } from './helpers.js';
import type { ObjectStore, UploadedPart } from './objectStore.js';

const racers = 16;

/** The prefix of a test's names, with ten random characters. */
export function trialName(prefix: string, stem: string, random: () => number): string {
  const characters = Array.from({ length: 10 }, () => Math.floor(random() * 36).toString(36));
  return `${prefix}${stem}-${characters.join('')}`;
}

/** The suffixes, after `at`, of the objects that the tests here create. */
export const tried: readonly string[] = ['-race', '-parts'];

/**
 * Whether exactly one of 16 concurrent create-only puts wins. The winner may get the error of a loser: its put took effect, got
 * a 503, and was repeated, by us or by a proxy. So if no put succeeded, the object itself shows whether one won.
 */
export function race(store: ObjectStore, at: string): Observable<boolean> {
  const key = `${at}-race`;
  const run = forkJoin(Array.from({ length: racers }, (_, i) => racer(store, key, String(i))));
  const round = run.pipe(
    concatMap((outcomes) => {
      const winners = outcomes.filter((outcome) => outcome === 'won').length;
      if (winners > 1 || outcomes.every((outcome) => outcome === 'unsupported')) return of(false);
      if (outcomes.includes('unsupported')) return of(undefined);
      return winners === 1
        ? of(true)
        : content(store, key).pipe(map((found) => found !== undefined || undefined));
    }),
    concatMap((found) =>
      found === true
        ? of(found)
        : needing('s3:DeleteObject', store, store.delete([key])).pipe(map(() => found)),
    ),
  );
  return decided(`which of ${racers} writers created ${store.uri}/${key}`, round);
}

type Outcome = 'won' | 'lost' | 'unsupported';

function racer(store: ObjectStore, key: string, body: string): Observable<Outcome> {
  const put = store.put(key, Buffer.from(body), { ifNoneMatch: '*' });
  return needing('s3:PutObject', store, put).pipe(
    map((): Outcome => 'won'),
    catchError((error: unknown) => {
      if (isStoreError(error, 'AlreadyExists', 'Conflict')) return of<Outcome>('lost');
      return isStoreError(error, 'NotSupported') ? of<Outcome>('unsupported') : throwError(() => error);
    }),
  );
}

function content(store: ObjectStore, key: string): Observable<string | undefined> {
  return needing('s3:GetObject', store, store.get(key)).pipe(
    map(({ chunks }) => Buffer.from(join(chunks)).toString()),
    catchError((error: unknown) => (isMissing(error) ? of(undefined) : throwError(() => error))),
  );
}

/** Whether Complete accepts one of two parts. After an error, the object shows whether it took effect. */
export function subset(store: ObjectStore, at: string): Observable<boolean> {
  const key = `${at}-parts`;
  const round = upload(store, key, [1, 1].map(part), (parts) => parts.slice(0, 1)).pipe(
    map((): boolean | undefined => true),
    catchError((error: unknown) =>
      content(store, key).pipe(
        map((found) => {
          if (found !== undefined) return true;
          if (isStoreError(error, 'InvalidPart')) return false;
          if (isMissing(error)) return undefined;
          throw error;
        }),
      ),
    ),
  );
  return decided(`whether the upload of ${store.uri}/${key} was completed`, round);
}

const rounds = 4;

/**
 * Repeats a test until its result is certain: `true` at once, `false` after two rounds in a row, since a failure may look
 * like it. Errors: `Unavailable` if the result remains in doubt.
 */
function decided(what: string, round: Observable<boolean | undefined>): Observable<boolean> {
  const ask = (left: number, before?: boolean): Observable<boolean> =>
    round.pipe(
      concatMap((found) => {
        if (found === true || (found === false && before === false)) return of(found);
        if (left > 0) return ask(left - 1, found);
        throw new StoreError('Unavailable', `Could not determine ${what}. Retry.`);
      }),
    );
  return ask(rounds - 1);
}

/** Whether the object is missing, not the bucket. */
function isMissing(error: unknown): boolean {
  return isStoreError(error, 'NotFound') && error.serverCode !== 'NoSuchBucket';
}

/** The body of a part. */
export function part(size: number): Uint8Array {
  return Buffer.alloc(size, 'p');
}

/** Uploads these parts and completes those `named`. Aborts the upload on failure. Emits once. */
export function upload(
  store: ObjectStore,
  key: string,
  bodies: readonly Uint8Array[],
  named: (parts: readonly UploadedPart[]) => readonly UploadedPart[] = (parts) => parts,
  options: { readonly ifNoneMatch?: '*' } = {},
): Observable<unknown> {
  return needing('s3:PutObject', store, store.createUpload(key)).pipe(
    concatMap(({ uploadId }) =>
      from(bodies).pipe(
        concatMap((body, i) => needing('s3:PutObject', store, store.uploadPart(key, uploadId, i + 1, body))),
        toArray(),
        concatMap((parts) => store.completeUpload(key, uploadId, named(parts), options)),
        catchError((error: unknown) => {
          const abort = needing('s3:AbortMultipartUpload', store, store.abortUpload(key, uploadId));
          return concat(
            abort.pipe(ignoreElements()),
            throwError(() => error),
          );
        }),
      ),
    ),
  );
}

/** Removes test objects when `work`, which emits once, succeeds or fails, but not on unsubscribe. */
export function cleaned<T>(store: ObjectStore, keys: readonly string[], work: Observable<T>): Observable<T> {
  const remove = defer(() => needing('s3:DeleteObject', store, store.delete(keys))).pipe(
    concatMap(([failure]) => (failure === undefined ? of(undefined) : throwError(() => failure.error))),
    ignoreElements(),
  );
  return work.pipe(
    catchError((error: unknown) =>
      concat(
        remove.pipe(catchError(() => EMPTY)), // report the first error
        throwError(() => error),
      ),
    ),
    // Emit last: a consumer may unsubscribe on the answer.
    concatMap((answer) => concat(remove, of(answer))),
  );
}

/** Makes the error of a missing permission name the IAM action. */
export function needing<T>(action: string, store: ObjectStore, request: Observable<T>): Observable<T> {
  return request.pipe(
    catchError((cause: unknown) =>
      throwError(() =>
        isStoreError(cause, 'PermissionDenied') && !hasNoIdentity(cause)
          ? new MissingRight(lacking(cause) ?? action, store.uri, cause)
          : cause,
      ),
    ),
  );
}

/** The action that AWS names in the error: it may be one on the KMS key, or the role itself. */
function lacking({ message }: StoreError): string | undefined {
  return /(?:not authorized to perform:|^AssumeRole .*Allow) ([a-z0-9]+:[A-Za-z]+)/.exec(message)?.[1];
}

/** A `PermissionDenied` that names the missing IAM action. */
export class MissingRight extends StoreError {
  static {
    sharedByCopies(this, 'MissingRight');
  }

  constructor(
    readonly action: string,
    uri: string,
    cause: StoreError,
  ) {
    super(
      'PermissionDenied',
      `No right to ${action} at ${uri}: ${cause.message} Grant ${action} to the credentials in use.`,
      {
        cause,
        ...(cause.serverCode === undefined ? {} : { serverCode: cause.serverCode }),
        ...(cause.status === undefined ? {} : { status: cause.status }),
      },
    );
  }
}
