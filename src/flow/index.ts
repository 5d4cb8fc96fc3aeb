/**
 * Flow: records and signals in one Observable.
 *
 * A flow starts with `Open`, continues with records interleaved with `Barrier`, `Watermark` and `Credit`, and
 * finishes with `End` and one final `Barrier`. Operators are pure functions of their flow: time, randomness and
 * stores reach them through `Open`. All of them are built with `FlowSubscriber`.
 */
export * from './attempt.js';
export * from './clock.js';
export * from './flow.js';
export * from './foreignName.js';
export * from './memory.js';
export * from './operator.js';
export * from './outflow.js';
export * from './signals.js';
export * from './unencodable.js';
