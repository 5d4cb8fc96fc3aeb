import { defer, type Observable } from 'rxjs';
import type { ObjectStore } from '../../src/store/objectStore.js';

export interface Call {
  readonly verb: Exclude<keyof ObjectStore, 'uri'>;
  /** The key, or the prefix of a listing, or the keys of a delete. */
  readonly key: string;
}

/** A store whose every request goes through `around`, on subscribe. */
export function intercepted(
  store: ObjectStore,
  around: <T>(call: Call, request: Observable<T>) => Observable<T>,
): ObjectStore {
  const through = <T>(verb: Call['verb'], key: string, request: Observable<T>): Observable<T> =>
    defer(() => around({ verb, key }, request));
  return {
    uri: store.uri,
    head: (key, options) => through('head', key, store.head(key, options)),
    get: (key, options) => through('get', key, store.get(key, options)),
    put: (key, body, options) => through('put', key, store.put(key, body, options)),
    list: (options) => through('list', options.startAfter ?? options.prefix ?? '', store.list(options)),
    delete: (keys) => through('delete', keys.join(' '), store.delete(keys)),
    copy: (from, to, options) => through('copy', to, store.copy(from, to, options)),
    createUpload: (key, options) => through('createUpload', key, store.createUpload(key, options)),
    uploadPart: (key, id, number, body) =>
      through('uploadPart', key, store.uploadPart(key, id, number, body)),
    copyPart: (key, id, number, from) => through('copyPart', key, store.copyPart(key, id, number, from)),
    listParts: (key, id, after) => through('listParts', key, store.listParts(key, id, after)),
    listUploads: (options) => through('listUploads', options.prefix, store.listUploads(options)),
    completeUpload: (key, id, parts, options) =>
      through('completeUpload', key, store.completeUpload(key, id, parts, options)),
    abortUpload: (key, id) => through('abortUpload', key, store.abortUpload(key, id)),
  };
}
