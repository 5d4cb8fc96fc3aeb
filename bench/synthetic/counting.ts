import { defer, type Observable } from 'rxjs';
import type { ObjectStore } from 'millrace';

/** What went to a store: one entry for each request, in order. */
export interface Request {
  readonly verb: keyof Omit<ObjectStore, 'uri'>;
  readonly key: string;
  /** Bytes sent. */
  readonly bytes: number;
}

/** Passes everything on to `base`, and notes each request when it is made. */
export function counting(base: ObjectStore, requests: Request[]): ObjectStore {
  const count = <T>(
    verb: Request['verb'],
    key: string,
    bytes: number,
    request: Observable<T>,
  ): Observable<T> =>
    defer(() => {
      requests.push({ verb, key, bytes });
      return request;
    });
  return {
    uri: base.uri,
    head: (key, options) => count('head', key, 0, base.head(key, options)),
    get: (key, options) => count('get', key, 0, base.get(key, options)),
    put: (key, body, options) => count('put', key, body.byteLength, base.put(key, body, options)),
    list: (options) => count('list', options.prefix ?? '', 0, base.list(options)),
    delete: (keys) => count('delete', keys[0] ?? '', 0, base.delete(keys)),
    copy: (from, to, options) => count('copy', to, 0, base.copy(from, to, options)),
    createUpload: (key, options) => count('createUpload', key, 0, base.createUpload(key, options)),
    uploadPart: (key, id, number, body) =>
      count('uploadPart', key, body.byteLength, base.uploadPart(key, id, number, body)),
    copyPart: (key, id, number, from) => count('copyPart', key, 0, base.copyPart(key, id, number, from)),
    listParts: (key, id, after) => count('listParts', key, 0, base.listParts(key, id, after)),
    listUploads: (options) => count('listUploads', options.prefix, 0, base.listUploads(options)),
    completeUpload: (key, id, parts, options) =>
      count('completeUpload', key, 0, base.completeUpload(key, id, parts, options)),
    abortUpload: (key, id) => count('abortUpload', key, 0, base.abortUpload(key, id)),
  };
}
