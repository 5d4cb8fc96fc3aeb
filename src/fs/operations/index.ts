/**
 * `millrace/operations`: what people do with files, on the objects of any store.
 *
 * A URI names an object, or a directory: the common start of keys up to a slash, which is there as long as any key
 * starts with it. With a slash at its end it can only be the directory; without, it is the object if there is one
 * (`resolve.ts`). Keys are opaque otherwise, so `a//b` and `../x` are objects like any other.
 *
 * Every operation is an Observable: nothing happens before it is subscribed, each subscription does it anew, and
 * unsubscribing aborts what is under way. RxJS knows no backpressure: what an Observable of entries emits is the
 * consumer's to keep, and a listing goes on page by page, as fast as the store answers. A consumer that does slow work on each of
 * many entries gives `pace`, which holds the next page back.
 */
export { createOperations, type Operations, type OperationsOptions } from './operations.js';
export { OperationError, PartlyFailed, type Failure, type OperationErrorCode } from './errors.js';
export type * from '../types.js';
