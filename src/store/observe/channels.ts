/**
 * The messages of stores on `node:diagnostics_channel`. A request (a call of a store's method, with its retries) has one
 * `start`, a `retry` before each wait, an `error` if it fails, and always one `end`.
 *
 * Without subscribers, no message is created and nothing is measured. Messages contain no secrets: they identify requests by
 * store, method and key, never by URL, header or body.
 */
import { channel, type Channel } from 'node:diagnostics_channel';
import type { StoreMethod } from '../decorators/decorate.js';

/** A request. All its messages refer to the same object. */
export interface StoreRequest {
  /** Counts the requests of this process. */
  readonly id: number;
  /** `s3://bucket`, `s3x://host/bucket`, `file:///dir`, `memory://name`. */
  readonly store: string;
  readonly method: StoreMethod;
  /** The key it is about; for listings the prefix, for `delete` the first key. */
  readonly key: string;
  /** Bytes of the body of `put` and `uploadPart`, else 0. */
  readonly bytesUp: number;
}

/** On `millrace:request:start`, when a request is subscribed to. */
export interface RequestStart {
  readonly request: StoreRequest;
}

/** On `millrace:request:retry`, before the wait for the next attempt. */
export interface RequestRetry {
  readonly request: StoreRequest;
  /** The attempt that failed: 1, 2, … */
  readonly failed: number;
  /** Milliseconds until the next. */
  readonly delay: number;
  /** Its error code, such as `Throttled`. */
  readonly code: string;
}

/** On `millrace:request:error`, before the `end` of a request that failed for good. */
export interface RequestError {
  readonly request: StoreRequest;
  /** A code such as `NotFound`; `UNKNOWN` for errors of other libraries. */
  readonly code: string;
  /** The HTTP status, if there was one. */
  readonly status?: number;
  readonly error: unknown;
}

/** On `millrace:request:end`, the last message of every request. */
export interface RequestEnd {
  readonly request: StoreRequest;
  /** `aborted`: it was unsubscribed from. */
  readonly outcome: 'answered' | 'failed' | 'aborted';
  /** Milliseconds since `start`, waits included. */
  readonly duration: number;
  /** 1 without retries. */
  readonly tries: number;
  /** Bytes downloaded. */
  readonly bytesDown: number;
  /** The error code, if it failed. */
  readonly code?: string;
}

/** The channels. Names are stable; messages may gain fields. */
export const requestChannels = {
  start: channel('millrace:request:start'),
  retry: channel('millrace:request:retry'),
  error: channel('millrace:request:error'),
  end: channel('millrace:request:end'),
} as const satisfies Readonly<Record<string, Channel>>;

/** Whether any channel has subscribers. */
export function listenedTo(): boolean {
  const { start, retry, error, end } = requestChannels;
  return start.hasSubscribers || end.hasSubscribers || retry.hasSubscribers || error.hasSubscribers;
}
