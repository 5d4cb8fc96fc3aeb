import { decorate, type ObjectStore, type StoreCall } from 'millrace/stores';

/** A request as it was made. */
export interface CountedRequest {
  readonly method: StoreCall['method'];
  readonly key: string;
  /** Bytes sent. */
  readonly bytes: number;
}

/** Notes each request to `store` in `requests` when it is made: which key got how many bytes, not only sums. */
export function noting(store: ObjectStore, requests: CountedRequest[]): ObjectStore {
  return decorate(store, ({ method, key, body }, run) => {
    requests.push({ method, key, bytes: body?.byteLength ?? 0 });
    return run;
  });
}
