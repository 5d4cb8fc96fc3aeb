import { defer, type Observable } from 'rxjs';
import { systemClock, type Clock } from '../../flow/index.js';
import { createStores } from '../../store/registry.js';
import type { Stores } from '../../store/services.js';
import type {
  AbortOptions,
  Entry,
  ListOptions,
  Progress,
  RemoveOptions,
  Stat,
  UploadEntry,
} from '../types.js';
import { list, walk } from './list.js';
import { makeDirectory } from './makeDirectory.js';
import { globbed, placeOf, type Place } from './place.js';
import { remove } from './remove.js';
import { exists, stat } from './stat.js';
import { abortUploads, uploads } from './uploads.js';

export interface OperationsOptions {
  /** Opens the stores. Default: those of this process, `s3://` among them. */
  readonly stores?: Stores;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

/** File operations on every store. Each starts when it is subscribed, and unsubscribing aborts its requests. */
export interface Operations {
  /**
   * What is right in a directory: its objects and directories, in the order of their names, page by page. An object is
   * listed as itself. Errors: `NotFound` (there is neither; a bucket may be empty).
   */
  list(uri: string, options?: ListOptions): Observable<Entry>;

  /**
   * All objects below a directory, in the order of their keys, by one listing. With wildcards (`*`, `**`, `?`, `[a-z]`,
   * `{a,b}`; percent-encoded they are ordinary characters), all that match, which may be none. Errors: `NotFound`, `InvalidGlob`.
   */
  walk(uri: string, options?: ListOptions): Observable<Entry>;

  /** What a URI names: the object, with its metadata, or the directory. Errors: `NotFound`. */
  stat(uri: string): Observable<Stat>;

  /** Whether there is an object or a directory. Errors: `PermissionDenied` and whatever else does not say "no". */
  exists(uri: string): Observable<boolean>;

  /**
   * Removes an object, an empty directory, or with `recursive` a directory with its content. Errors: `NotEmpty`,
   * `WholeBucket`, `NotFound` (`mustExist`), `RemoveFailed` (with all that could not be removed; the rest is).
   */
  remove(uri: string, options?: RemoveOptions): Observable<Progress>;

  /** Makes an empty directory visible, by an empty object whose key ends in a slash; one that is there stays. */
  makeDirectory(uri: string): Observable<Entry>;

  /** The multipart uploads under way of all keys that start with the URI's key. */
  uploads(uri: string): Observable<UploadEntry>;

  /**
   * Aborts uploads of keys that start with the URI's key and were begun long ago; emits each that is gone. Errors:
   * `AbortFailed`, with all that could not be aborted; the rest is.
   */
  abortUploads(uri: string, options: AbortOptions): Observable<UploadEntry>;
}

/**
 * Operations on objects and directories of any store, by URI.
 *
 * @example
 * ```ts
 * import { createOperations } from 'millrace/operations';
 *
 * const { walk } = createOperations();
 * walk('s3://lake/raw/**' + '/*.ndjson').subscribe(({ uri, size }) => console.log(uri, size));
 * ```
 */
export function createOperations(options: OperationsOptions = {}): Operations {
  const { stores = createStores(), clock = systemClock } = options;
  const at = <T>(uri: string, operation: (place: Place) => Observable<T>): Observable<T> =>
    defer(() => operation(placeOf(stores, uri)));
  return {
    list: (uri, listOptions = {}) => at(uri, (place) => list(place, listOptions)),
    walk: (uri, listOptions = {}) =>
      defer(() => {
        const { place, glob } = globbed(stores, uri);
        return walk(place, glob, listOptions);
      }),
    stat: (uri) => at(uri, stat),
    exists: (uri) => at(uri, exists),
    remove: (uri, removeOptions = {}) => at(uri, (place) => remove(place, removeOptions)),
    makeDirectory: (uri) => at(uri, makeDirectory),
    uploads: (uri) => at(uri, uploads),
    abortUploads: (uri, abortOptions) => at(uri, (place) => abortUploads(place, abortOptions, clock)),
  };
}
