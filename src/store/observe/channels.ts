/**
 * What stores tell `node:diagnostics_channel`: one request (a call of a method of a store, with its retries) is one
 * `start`, a `retry` before each wait for another try, an `error` if it fails, and always one `end`.
 *
 * Nothing is made, and nothing measured, unless somebody has subscribed. No message holds a secret: requests are told by
 * store, method and key, never by URL, header or body.
 */
import { channel, type Channel } from 'node:diagnostics_channel';
import type { StoreMethod } from '../decorators/decorate.js';

/** The same object in all messages about a request. */
export interface StoreRequest {
  /** Counts the requests of this process. */
  readonly id: number;
  /** `s3://bucket`, `s3x://host/bucket`, `file:///dir`, `memory://name`. */
  readonly store: string;
  readonly method: StoreMethod;
  /** The key it is about; for listings the prefix, for `delete` the first key. */
  readonly key: string;
  /** Of the body that is uploaded: bytes of `put` and `uploadPart`, else 0. */
  readonly bytesUp: number;
}

/** On `millrace:request:start`, when a request is subscribed to. */
export interface RequestStart {
  readonly request: StoreRequest;
}

/** On `millrace:request:retry`, before the wait for the next try. */
export interface RequestRetry {
  readonly request: StoreRequest;
  /** The try that failed: 1, 2, … */
  readonly failed: number;
  /** Milliseconds until the next. */
  readonly delay: number;
  /** What it failed with, such as `Throttled`. */
  readonly code: string;
}

/** On `millrace:request:error`, before the `end` of a request that failed for good. */
export interface RequestError {
  readonly request: StoreRequest;
  /** A code such as `NotFound`; `UNKNOWN` for what is no error of millrace. */
  readonly code: string;
  /** The HTTP status, where there was one. */
  readonly status?: number;
  readonly error: unknown;
}

/** On `millrace:request:end`: the last message about every request. */
export interface RequestEnd {
  readonly request: StoreRequest;
  /** `aborted`: nobody wants the answer any more. */
  readonly outcome: 'answered' | 'failed' | 'aborted';
  /** Milliseconds since `start`, waits included. */
  readonly duration: number;
  /** 1 without retries. */
  readonly tries: number;
  /** Of the body that was downloaded. */
  readonly bytesDown: number;
  /** Of a request that failed. */
  readonly code?: string;
}

/** The channels by what they tell. Names are stable; messages may gain fields. */
export const requestChannels = {
  start: channel('millrace:request:start'),
  retry: channel('millrace:request:retry'),
  error: channel('millrace:request:error'),
  end: channel('millrace:request:end'),
} as const satisfies Readonly<Record<string, Channel>>;

/** Whether anybody wants to know. */
export function listenedTo(): boolean {
  const { start, retry, error, end } = requestChannels;
  return start.hasSubscribers || end.hasSubscribers || retry.hasSubscribers || error.hasSubscribers;
}
