import type { IncomingHttpHeaders } from 'node:http';
import type { Observable } from 'rxjs';
import type { Bucket } from './bucket.js';
import { invalidArgument, notImplemented } from './errors.js';

/** The value of the header; `customer`: with a customer's key (SSE-C). */
export type GatewayEncryption = 'AES256' | 'aws:kms' | 'customer';

/** A request that has been routed and authorized. */
export interface Call {
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  readonly headers: IncomingHttpHeaders;
  readonly store: Bucket;
  /** Another bucket, as the source of a copy. Throws `NoSuchBucket`. */
  readonly storeOf: (bucket: string) => Bucket;
  /** The verified body. */
  readonly body: Buffer;
  /** The headers after the body. */
  readonly trailers: ReadonlyMap<string, string>;
  /** The encryption that every request which creates an object must specify. */
  readonly requireEncryption: GatewayEncryption | undefined;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly xml?: string;
  /** The time of the bucket. Milliseconds since the epoch. */
  readonly date?: number;
  /** `length` bytes of an object, read as fast as the client takes them. */
  readonly stream?: { readonly length: number; readonly chunks: AsyncIterable<Uint8Array> };
}

/** The last value of `source`, or `undefined`. Unsubscribes and rejects when the client disconnects. */
export function once<T>(source: Observable<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    let answer: T | undefined;
    const subscription = source.subscribe({
      next: (value) => {
        answer = value;
      },
      error: (error: unknown) => {
        signal.removeEventListener('abort', onAbort);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
      complete: () => {
        signal.removeEventListener('abort', onAbort);
        resolve(answer as T);
      },
    });
    function onAbort(): void {
      subscription.unsubscribe();
      reject(gone());
    }
    if (signal.aborted) onAbort();
    else if (!subscription.closed) signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Waits. Rejects early when the client disconnects. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(gone());
    };
    const timer =
      ms === Infinity
        ? undefined
        : setTimeout(() => {
            signal.removeEventListener('abort', end);
            resolve();
          }, ms);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

function gone(): Error {
  return Object.assign(new Error('The client has gone.'), { name: 'AbortError' });
}

export function headerOf(call: Call, name: string): string | undefined {
  const value = call.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** An ETag in a header, without its quotes. */
export function etagOf(text: string | undefined): string | undefined {
  return text?.trim().replace(/^"(.*)"$/, '$1');
}

/** A number from the query, checked against its limits. Throws `InvalidArgument`. */
export function numberOf(call: Call, name: string, fallback: number, least: number, most: number): number {
  const text = call.query.get(name);
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw invalidArgument(`${name} must be a whole number from ${least} to ${most}.`);
}

/** Refuses headers that would be silently ignored. */
export function refuse(call: Call, ...headers: readonly string[]): void {
  const present = Object.keys(call.headers).find((name) => headers.some((prefix) => name.startsWith(prefix)));
  if (present !== undefined) throw notImplemented(`the header ${present}`);
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
