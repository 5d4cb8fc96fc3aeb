import {
  catchError,
  concatMap,
  defer,
  filter,
  from,
  map,
  of,
  switchMap,
  take,
  throwError,
  toArray,
  type Observable,
} from 'rxjs';
import {
  dataKey,
  readNewest,
  readSavepoint,
  savepointPrefix,
  scopeOf,
  type LogPlace,
  type Manifest,
  type Signing,
} from '../checkpoint/index.js';
import { MillraceError } from '../errors.js';
import { withoutEntropy } from '../path/index.js';
import { StateError } from '../state/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import type { CheckpointData, StoreLocation } from '../store/services.js';

/** A checkpoint that is read from outside: the newest of a job, or a savepoint. */
export interface CheckpointSource {
  readonly manifest: Manifest;
  /** For reading. */
  readonly data: CheckpointData;
  /** Emits whether the job has gone on, so that data of this checkpoint may have been deleted. */
  readonly overtaken: Observable<boolean>;
}

export interface CheckpointSourceOptions {
  /** Of a job's folder in a checkpoint directory, or of a savepoint. */
  readonly location: Pick<StoreLocation, 'store' | 'key'>;
  /** Marks where entropy is in keys. */
  readonly marker: string | undefined;
  readonly sign: Signing | undefined;
}

/** Errors: `StateNotFound`, those of manifests and savepoints, and those of the store. */
export function checkpointSource({
  location,
  marker,
  sign,
}: CheckpointSourceOptions): Observable<CheckpointSource> {
  const log = logPlaceOf({ location, marker, sign });
  const { store, prefix } = log;
  return readNewest(log).pipe(
    switchMap((manifest) =>
      manifest === undefined
        ? savepoint({ store, key: prefix }, sign).pipe(
            catchError((error: unknown) => notFound(store, prefix, error)),
          )
        : of({
            manifest,
            data: readOnly(store, (object) => dataKey({ prefix, entropy: manifest.entropy }, object)),
            overtaken: readNewest(log).pipe(map((newest) => newest?.putId !== manifest.putId)),
          }),
    ),
  );
}

/** The log of a job whose folder in a checkpoint directory it is. */
export function logPlaceOf({ location, marker, sign }: CheckpointSourceOptions): LogPlace {
  const { store, key } = location;
  const { plain, at, name = false } = withoutEntropy(key, marker);
  const folder = plain.replace(/\/+$/, '');
  const prefix = folder === '' ? '' : `${folder}/`;
  const job = folder.slice(folder.lastIndexOf('/') + 1);
  const entropy = at === undefined ? undefined : { at, name };
  return { store, prefix, scope: scopeOf({ store, prefix, job, entropy, sign }) };
}

function savepoint(
  location: Pick<StoreLocation, 'store' | 'key'>,
  sign: Signing | undefined,
): Observable<CheckpointSource> {
  const prefix = savepointPrefix(location);
  return readSavepoint(location, sign).pipe(
    map((manifest) => ({
      manifest,
      data: readOnly(location.store, (object) => dataKey({ prefix }, object)),
      overtaken: of(false),
    })),
  );
}

function readOnly(store: ObjectStore, key: (name: string) => string): CheckpointData {
  return {
    store,
    key,
    name: () => {
      throw new RangeError('a reader from outside creates no objects');
    },
  };
}

/** There is neither a log nor a savepoint. Names the jobs in the folder, or else those next to it. */
function notFound(store: ObjectStore, prefix: string, error: unknown): Observable<never> {
  if (!(error instanceof MillraceError) || error.code !== 'SavepointNotFound') return throwError(() => error);
  const parent = prefix.replace(/[^/]*\/$/, '');
  return from([prefix, parent]).pipe(
    concatMap((directory) => jobsIn(store, directory).pipe(map((jobs) => ({ directory, jobs })))),
    filter(({ directory, jobs }) => jobs.length > 0 || directory === parent),
    take(1),
    map(({ directory, jobs }) => {
      const there =
        jobs.length === 0
          ? 'Check the URI: it is that of a checkpoint directory, a slash and the name of a job, or that of a savepoint.'
          : `The jobs of ${store.uri}/${directory} are ${jobs.join(', ')}.`;
      throw new StateError(
        'StateNotFound',
        `${store.uri}/${prefix} has neither a job nor a savepoint. ${there}`,
      );
    }),
  );
}

/** As many as a message may name. */
const most = 20;

function jobsIn(store: ObjectStore, directory: string): Observable<readonly string[]> {
  return defer(() => store.list({ prefix: directory, delimiter: '/' })).pipe(
    concatMap(({ prefixes }) => prefixes),
    concatMap((prefix) =>
      store.list({ prefix: `${prefix}log/`, limit: 1 }).pipe(
        filter(({ objects }) => objects.length > 0),
        map(() => prefix.slice(directory.length, -1)),
      ),
    ),
    take(most),
    toArray(),
  );
}
