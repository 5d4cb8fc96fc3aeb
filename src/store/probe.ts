/**
 * Finds out what a job must know of a store, by trying it once: 16 puts race for one key, and an upload is completed with
 * one of its two parts. The parts are a few bytes: the minimum size holds for named parts but the last, and only one is
 * named. A missing right is a `PermissionDenied` that names the IAM action. All that can be found out is in `inspect.ts`.
 *
 * 1. **Look.** What was found before is kept as `probe.json` under the prefix.
 * 2. **Try**, under a name of its own, and remove what that made.
 * 3. **Look again**, whatever came of it. What another process found meanwhile counts.
 * 4. **Keep** the finding.
 * 5. **Sweep.** With the finding kept, at every start, all that trials have made is removed: a process may have died in
 *    step 2, or a request of it may have been executed twice or late.
 *
 * The trial of a process that is alive may be swept, too. That spoils what it finds in step 2, but a finding was kept before,
 * so it takes that one in step 3.
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
/** No finding is larger. Bytes. */
const largest = 16 * 1024;

/**
 * What the store at hand can do; reads, or makes, `<prefix>probe.json`. Errors: `PermissionDenied`, `NotFound` (no such
 * bucket), and whatever is worth a retry. `random` names the objects that are tried, default `Math.random`; `logger` hears
 * of what could not be removed, default silent.
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
      concatMap((found) => concat(sweep(store, prefix, logger), of(found))),
    ),
  );
}

function known(store: ObjectStore, file: string): Observable<StoreCapabilities | undefined> {
  return needing('s3:GetObject', store, store.get(file, { range: { start: 0, end: largest } })).pipe(
    map(({ chunks }) => parse(join(chunks))),
    catchError((error: unknown) => {
      // Without the right to list, S3 says 403 for an object that is missing; the listing below says so.
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

/** Removes what trials made. Nobody depends on it: what can not be removed is logged. */
function sweep(store: ObjectStore, prefix: string, logger: Logger): Observable<never> {
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

/** What was found before; `undefined` if another version wrote it, or it is damaged: then it is tried again. */
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
