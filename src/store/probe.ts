/**
 * Tests the capabilities of a store that a job depends on, once: 16 puts race for one key, and an upload is completed with
 * one of its two parts. The parts are a few bytes, since the minimum size does not apply to the last named part. A missing
 * permission is a `PermissionDenied` that names the IAM action. `inspect.ts` has the full report.
 *
 * 1. **Read** the stored result, `probe.json` under the prefix.
 * 2. **Test**, under unique names, and remove the test objects.
 * 3. **Read again**, even if the test failed. A result that another process has stored takes precedence.
 * 4. **Store** the result.
 * 5. **Clean up.** Once a result is stored, every start removes all test objects: a process may have died in step 2, or one of
 *    its requests may have been executed twice or late.
 *
 * This may remove the test objects of a live process and spoil its test. But a result was stored before, so that process
 * reads it in step 3.
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  ignoreElements,
  map,
  merge,
  of,
  tap,
  throwError,
  type Observable,
} from 'rxjs';
import { silentLogger, type Logger } from '../config/logger.js';
import { isCount } from '../shape.js';
import { abortUploads } from './abortUploads.js';
import { isStoreError } from './errors.js';
import { awsMinimumPartSize, join } from './helpers.js';
import type { ObjectStore } from './objectStore.js';
import { listPages } from './pages.js';
import type { StoreCapabilities } from './services.js';
import { cleaned, needing, race, subset, trialName, tried } from './trials.js';

const version = 2;
const stem = 'probe-millrace';
/** Upper bound of a stored result. Bytes. */
const largest = 16 * 1024;

/**
 * The capabilities of a store; reads or creates `<prefix>probe.json`. Errors: `PermissionDenied`, `NotFound` (no such
 * bucket), and retryable errors. `random` makes the names of test objects, default `Math.random`; `logger` receives failures
 * to remove them, default silent.
 */
export function probe(
  store: ObjectStore,
  prefix: string,
  random: () => number = Math.random,
  logger: Logger = silentLogger,
): Observable<StoreCapabilities> {
  const file = `${prefix}probe.json`;
  return defer(() =>
    known(store, file).pipe(
      concatMap((found) => (found === undefined ? find(store, prefix, file, random) : of(found))),
      concatMap((found) => concat(removeTrials(store, prefix, logger), of(found))),
    ),
  );
}

function known(store: ObjectStore, file: string): Observable<StoreCapabilities | undefined> {
  return needing('s3:GetObject', store, store.get(file, { range: { start: 0, end: largest } })).pipe(
    map(({ chunks }) => parse(join(chunks))),
    catchError((error: unknown) => {
      // Without permission to list, S3 responds 403 for a missing object; the listing below names that permission.
      if (isStoreError(error, 'NotFound', 'PermissionDenied')) return of(undefined);
      return throwError(() => error);
    }),
  );
}

function find(
  store: ObjectStore,
  prefix: string,
  file: string,
  random: () => number,
): Observable<StoreCapabilities> {
  const at = trialName(prefix, stem, random);
  const found = race(store, at).pipe(
    concatMap((conditionalPut) =>
      subset(store, at).pipe(
        map((completeSubset) => ({ conditionalPut, completeSubset, minimumPartSize: awsMinimumPartSize })),
      ),
    ),
  );
  const names = tried.map((name) => at + name);
  const trial = cleaned(store, names, found).pipe(
    catchError((error: unknown) =>
      known(store, file).pipe(
        map((before) => {
          if (before === undefined) throw error;
          return before;
        }),
      ),
    ),
    concatMap((mine) =>
      known(store, file).pipe(
        concatMap((before) => (before === undefined ? keep(store, file, mine) : of(before))),
      ),
    ),
  );
  return needing('s3:ListBucket', store, store.list({ prefix: at, limit: 1 })).pipe(concatMap(() => trial));
}

function keep(store: ObjectStore, file: string, found: StoreCapabilities): Observable<StoreCapabilities> {
  const body = Buffer.from(JSON.stringify({ version, ...found }));
  return needing('s3:PutObject', store, store.put(file, body)).pipe(map(() => found));
}

/** Removes test objects. Failures are only logged. */
function removeTrials(store: ObjectStore, prefix: string, logger: Logger): Observable<never> {
  const start = `${prefix}${stem}-`;
  const isTrial = (key: string): boolean => /^[0-9a-z]{10}-(race|parts)$/.test(key.slice(start.length));
  const warn = (error: unknown): void => {
    logger.warn({ store: store.uri, error: String(error) }, 'What a probe left was not removed');
  };
  const uploads = abortUploads(store, start, ({ key }) => isTrial(key)).pipe(
    tap(({ failure }) => {
      if (failure !== undefined) warn(failure.error);
    }),
  );
  const objects = listPages(store, { prefix: start, delimiter: '/' }).pipe(
    map((page) => page.objects.map(({ key }) => key).filter(isTrial)),
    concatMap((keys) => (keys.length === 0 ? EMPTY : store.delete(keys))),
    tap(([failure]) => {
      if (failure !== undefined) warn(failure.error);
    }),
  );
  const told = catchError((error: unknown) => {
    warn(error);
    return EMPTY;
  });
  return merge(uploads.pipe(told), objects.pipe(told)).pipe(ignoreElements());
}

/** A stored result; `undefined` if it is damaged or of another version, and the test must be repeated. */
function parse(body: Uint8Array): StoreCapabilities | undefined {
  let found: (Partial<StoreCapabilities> & { readonly version?: number }) | null;
  try {
    found = JSON.parse(Buffer.from(body).toString()) as typeof found;
  } catch {
    return undefined;
  }
  const { conditionalPut, completeSubset, minimumPartSize } = found ?? {};
  const fits = typeof conditionalPut === 'boolean' && typeof completeSubset === 'boolean';
  if (found?.version !== version || !fits || !isCount(minimumPartSize)) return undefined;
  return { conditionalPut, completeSubset, minimumPartSize };
}
