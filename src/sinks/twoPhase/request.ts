import type { Observable } from 'rxjs';

/**
 * How the parts of a sink do I/O: subscribes to `request` for the life of the sink and hands its answer to `done` as a
 * turn of the flow. An error of either ends the flow.
 */
export type Request = <T>(request: Observable<T>, done: (answer: T) => void) => void;
