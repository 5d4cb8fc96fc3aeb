import { defer, type Observable } from 'rxjs';
import type { ObjectStore } from '../objectStore.js';

export type StoreMethod = Exclude<keyof ObjectStore, 'uri'>;

/** One request, as a decorator sees it. */
export interface StoreCall {
  readonly method: StoreMethod;
  /** The key it is about; for listings the prefix, for `delete` the first key. */
  readonly key: string;
  /** The uploaded bytes, if any. */
  readonly body?: Uint8Array;
  /** Whether the request has `ifMatch` or `ifNoneMatch`. */
  readonly conditional: boolean;
}

/** Wraps a request. `run` makes it when subscribed. */
export type Around = <T>(call: StoreCall, run: Observable<T>) => Observable<T>;

/**
 * Wraps each request of a store in `around`. All decorators are written with it.
 *
 * @example
 * ```ts
 * const logged = decorate(store, (call, run) => run.pipe(tap({ subscribe: () => console.log(call.method, call.key) })));
 * ```
 */
export function decorate(store: ObjectStore, around: Around): ObjectStore {
  const call = (method: StoreMethod, key: string, options?: object, body?: Uint8Array): StoreCall => ({
    method,
    key,
    conditional: options !== undefined && ('ifMatch' in options || 'ifNoneMatch' in options),
    ...(body === undefined ? {} : { body }),
  });
  const request = <T>(made: StoreCall, run: () => Observable<T>): Observable<T> => around(made, defer(run));
  return {
    uri: store.uri,
    head: (key, options) => request(call('head', key, options), () => store.head(key, options)),
    get: (key, options) => request(call('get', key, options), () => store.get(key, options)),
    put: (key, body, options) =>
      request(call('put', key, options, body), () => store.put(key, body, options)),
    list: (options) => request(call('list', options.prefix ?? ''), () => store.list(options)),
    delete: (keys) => request(call('delete', keys[0] ?? ''), () => store.delete(keys)),
    copy: (from, to, options) => request(call('copy', to, options), () => store.copy(from, to, options)),
    createUpload: (key, options) =>
      request(call('createUpload', key), () => store.createUpload(key, options)),
    uploadPart: (key, uploadId, number, body) =>
      request(call('uploadPart', key, undefined, body), () => store.uploadPart(key, uploadId, number, body)),
    copyPart: (key, uploadId, number, from) =>
      request(call('copyPart', key, from), () => store.copyPart(key, uploadId, number, from)),
    listParts: (key, uploadId, after) =>
      request(call('listParts', key), () => store.listParts(key, uploadId, after)),
    listUploads: (options) => request(call('listUploads', options.prefix), () => store.listUploads(options)),
    completeUpload: (key, uploadId, parts, options) =>
      request(call('completeUpload', key, options), () =>
        store.completeUpload(key, uploadId, parts, options),
      ),
    abortUpload: (key, uploadId) => request(call('abortUpload', key), () => store.abortUpload(key, uploadId)),
  };
}
