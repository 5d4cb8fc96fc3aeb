/**
 * Flow: records and signals in one Observable.
 *
 * A flow starts with `Open`, goes on with records among which `Barrier`, `Watermark` and `Credit` keep their
 * place, and is over with `End` and one final `Barrier`. Operators are pure functions of their flow: time,
 * randomness and stores reach them with `Open`, and all of them are built with `FlowSubscriber`.
 */
export * from './attempt.js';
export * from './clock.js';
export * from './flow.js';
export * from './foreignName.js';
export * from './operator.js';
export * from './signals.js';
export * from './unencodable.js';
