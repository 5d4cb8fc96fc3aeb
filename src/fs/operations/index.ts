/**
 * `millrace/operations`: file operations on the objects of any store.
 *
 * A URI names an object, or a directory: the common prefix of keys up to a slash, which exists as long as any key starts
 * with it. A URI that ends in a slash is a directory; another is the object if it exists, else the directory (`resolve.ts`).
 * Keys are opaque otherwise, so `a//b` and `../x` are ordinary objects.
 *
 * Every operation is an Observable: it starts on subscribe, each subscription runs it again, and unsubscribing aborts its
 * requests. RxJS has no backpressure, so a listing emits pages as fast as the store returns them. A consumer that does slow
 * work on many entries sets `pace`, which delays the next page.
 */
export { createOperations, type Operations, type OperationsOptions } from './operations.js';
export { OperationError, PartlyFailed, type Failure, type OperationErrorCode } from './errors.js';
export type * from '../types.js';
