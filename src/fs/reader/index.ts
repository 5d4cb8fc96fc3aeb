/**
 * Reading objects at any position, in bounded memory.
 *
 * A reader is opened by one HEAD, and from then on reads the one version that this named: every GET carries If-Match, so
 * an object that is replaced meanwhile gives `PreconditionFailed`, and bytes of two versions never meet. What is read is
 * exactly what the object holds: a read fills its destination or gets to the end.
 *
 * What is asked for when follows from how it is read (`policy.ts`): one random read is one request, of the read buffer's
 * size if it is small; sequential reads fetch ahead, the more the longer they go on. All readers of one client share
 * one memory budget (`budget.ts`). A request that failed fails the read that needs it, and is forgotten: the next read
 * asks again. Nothing outlives `close` or an unsubscribe.
 */
export { ReadBudget } from './budget.js';
export type { ReaderLimits } from './policy.js';
export { limitsOf, openSequential, readObject, type ReadSource } from './read.js';
export { SeekableReader, type ReaderOptions } from './reader.js';
