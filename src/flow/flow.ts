import type { Observable, OperatorFunction } from 'rxjs';
import type { Signal } from './signals.js';

/**
 * Records of type `T`, interleaved with the job's signals, in one ordinary `Observable`.
 * Records are the user's own values, never wrapped.
 */
export type Flow<T> = Observable<T | Signal>;

/** What `flow.pipe(…)` takes. */
export type FlowOperator<A, B> = OperatorFunction<A | Signal, B | Signal>;

/**
 * `any` and `unknown` would swallow the signals of a flow. If a record type is one of them, this becomes a string
 * literal type that nothing satisfies and that contains the advice.
 */
export type Known<T> = 0 extends 1 & T
  ? 'millrace: records of type `any` hide signals; give the source or callback a type'
  : unknown extends T
    ? 'millrace: records of type `unknown` hide signals; give the source or callback a type'
    : unknown;
