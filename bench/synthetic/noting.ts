import { decorate, type ObjectStore, type StoreCall } from 'millrace/stores';

/** A recorded request. */
export interface CountedRequest {
  readonly method: StoreCall['method'];
  readonly key: string;
  /** Bytes sent. */
  readonly bytes: number;
}

/** Records each request to `store` in `requests`, with key and bytes. */
export function noting(store: ObjectStore, requests: CountedRequest[]): ObjectStore {
  return decorate(store, ({ method, key, body }, run) => {
    requests.push({ method, key, bytes: body?.byteLength ?? 0 });
    return run;
  });
}
