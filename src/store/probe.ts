/**
 * Finds out what a job must know of a store, by trying it once: 16 puts race for one key, and an upload is completed with
 * one of its two parts. The parts are a few bytes: the minimum size holds for named parts but the last, and only one is
 * named.
 *
 * The finding is kept as `probe.json` under the prefix, so the next start reads one object. What the probe wrote, it
 * removes. A missing right is a `PermissionDenied` that names the IAM action. All that can be found out is in `inspect.ts`.
 */
import { catchError, concatMap, defer, map, of, throwError, type Observable } from 'rxjs';
import { isStoreError } from './errors.js';
import { awsMinimumPartSize, join } from './helpers.js';
import type { ObjectStore } from './objectStore.js';
import type { StoreCapabilities } from './services.js';
import { cleaned, needing, race, subset, tried } from './trials.js';

const version = 2;

/**
 * What the store at hand can do; reads, or makes, `<prefix>probe.json`. Errors: `PermissionDenied`, `NotFound` (no such
 * bucket), and whatever is worth a retry. `random` names the objects that are tried, default `Math.random`.
 */
export function probe(
  store: ObjectStore,
  prefix: string,
  random: () => number = Math.random,
): Observable<StoreCapabilities> {
  const at = `${prefix}probe.json`;
  return defer(() =>
    needing('s3:GetObject', store, store.get(at)).pipe(
      map(({ chunks }) => parse(join(chunks))),
      catchError((error: unknown) => {
        // Without the right to list, S3 says 403 for an object that is missing; the listing below says so.
        if (isStoreError(error, 'NotFound', 'PermissionDenied')) return of(undefined);
        return throwError(() => error);
      }),
      concatMap((known) => (known === undefined ? find(store, prefix, at, random) : of(known))),
    ),
  );
}

function find(
  store: ObjectStore,
  prefix: string,
  file: string,
  random: () => number,
): Observable<StoreCapabilities> {
  const at = trialName(prefix, random);
  const found = race(store, at).pipe(
    concatMap((conditionalPut) =>
      subset(store, at).pipe(
        map((completeSubset) => ({ conditionalPut, completeSubset, minimumPartSize: awsMinimumPartSize })),
      ),
    ),
  );
  return needing('s3:ListBucket', store, store.list({ prefix: at, limit: 1 })).pipe(
    concatMap(() =>
      cleaned(
        store,
        tried.map((name) => at + name),
        found,
      ),
    ),
    concatMap((capabilities) =>
      needing(
        's3:PutObject',
        store,
        store.put(file, Buffer.from(JSON.stringify({ version, ...capabilities }))),
      ).pipe(map(() => capabilities)),
    ),
  );
}

/** What names of trials start with: nobody else’s. */
export function trialName(prefix: string, random: () => number): string {
  return `${prefix}probe-${Math.floor(random() * 2 ** 48).toString(36)}`;
}

/** What was found before; `undefined` if another version wrote it, or it is damaged: then it is tried again. */
function parse(body: Uint8Array): StoreCapabilities | undefined {
  let found: Partial<StoreCapabilities> & { readonly version?: number };
  try {
    found = JSON.parse(Buffer.from(body).toString()) as typeof found;
  } catch {
    return undefined;
  }
  const { conditionalPut, completeSubset, minimumPartSize } = found;
  if (found.version !== version || conditionalPut === undefined) return undefined;
  if (completeSubset === undefined || minimumPartSize === undefined) return undefined;
  return { conditionalPut, completeSubset, minimumPartSize };
}
