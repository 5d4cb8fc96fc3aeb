/**
 * Reads objects at any position, in bounded memory.
 *
 * A reader is opened by one HEAD and pinned to that version: every GET has If-Match, so if the object is replaced, reads fail
 * with `PreconditionFailed`, and never mix two versions. A read fills its destination unless the object ends.
 *
 * Requests follow the access pattern (`policy.ts`): a random read is one request, at least of the read buffer's size;
 * sequential reads fetch ahead, the more the longer they continue. Readers share a memory budget
 * (`budget.ts`). A failed request fails the read that needs it; the next read requests the bytes again. Nothing outlives
 * `close` or an unsubscribe.
 */
export { ReadBudget } from './budget.js';
export type { ReaderLimits } from './policy.js';
export { limitsOf, openSequential, readObject, type ReadOptions, type ReadSource } from './read.js';
export { SeekableReader, type ReaderOptions } from './reader.js';
