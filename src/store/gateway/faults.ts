import { GatewayError } from './errors.js';
import type { GatewayOperation } from './router.js';

/** A request, as passed to `faults` before it is processed. */
export interface FaultRequest {
  readonly method: string;
  readonly operation: GatewayOperation;
  readonly bucket: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  /** Counts the requests with this method, path and query: 1, 2, … */
  readonly attempt: number;
}

/** A fault to inject into a request. */
export interface Fault {
  /** Milliseconds before the request is processed. */
  readonly delay?: number;
  /** Bytes per second of the response body. */
  readonly bandwidth?: number;
  readonly failure?: Failure;
}

export type Failure =
  /** This response; no effect. */
  | { readonly kind: 'answer'; readonly status: number; readonly code: string; readonly message?: string }
  /** The connection is reset; no effect. */
  | { readonly kind: 'reset' }
  /** It takes effect, then this response is sent. */
  | {
      readonly kind: 'answer-after';
      readonly status: number;
      readonly code: string;
      readonly message?: string;
    }
  /** It takes effect, then the connection is dropped without a response. */
  | { readonly kind: 'lose-answer' }
  /** It stalls before it takes effect, after that, or after this many bytes of the response body. */
  | { readonly kind: 'stall'; readonly at: 'start' | 'answer' | number }
  /** The connection is dropped after this many bytes of the response body. */
  | { readonly kind: 'cut'; readonly at: number }
  /** `Content-Length` is wrong by this many bytes. */
  | { readonly kind: 'length'; readonly by: number };

/** Selects the fault of a request; `undefined`: none. */
export type Faults = (request: FaultRequest) => Fault | undefined;

/** The error response of a fault. */
export function planned({
  status,
  code,
  message,
}: Extract<Failure, { kind: 'answer' | 'answer-after' }>): GatewayError {
  return new GatewayError(status, code, message ?? 'An injected fault.');
}
