import { GatewayError } from './errors.js';
import type { GatewayOperation } from './router.js';

/** A request as `faults` sees it, before anything has happened. */
export interface FaultRequest {
  readonly method: string;
  readonly operation: GatewayOperation;
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  /** How often this method, path and query has been asked for, this time included: 1, 2, … */
  readonly attempt: number;
}

/** What is to go wrong with one request. */
export interface Fault {
  /** Milliseconds before anything happens. */
  readonly delay?: number;
  /** Bytes a second of the answer's body. */
  readonly bandwidth?: number;
  readonly failure?: Failure;
}

export type Failure =
  /** This answer instead of any effect. */
  | { readonly kind: 'answer'; readonly status: number; readonly code: string; readonly message?: string }
  /** The connection is reset; no effect. */
  | { readonly kind: 'reset' }
  /** It takes effect; then this answer, whatever came of it. */
  | {
      readonly kind: 'answer-after';
      readonly status: number;
      readonly code: string;
      readonly message?: string;
    }
  /** It takes effect; then the connection is dropped without an answer. */
  | { readonly kind: 'lose-answer' }
  /** Nothing moves any more: before the effect, after it, or after so many bytes of the answer's body. */
  | { readonly kind: 'stall'; readonly at: 'start' | 'answer' | number }
  /** The connection is dropped after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly at: number }
  /** `Content-Length` is off by so much, either way. */
  | { readonly kind: 'length'; readonly by: number };

/** Decides about each request; `undefined` lets it pass. */
export type Faults = (request: FaultRequest) => Fault | undefined;

/** The answer that was asked for. */
export function planned({
  status,
  code,
  message,
}: Extract<Failure, { kind: 'answer' | 'answer-after' }>): GatewayError {
  return new GatewayError(status, code, message ?? 'This was asked for.');
}
