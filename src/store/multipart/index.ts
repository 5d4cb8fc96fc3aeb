/**
 * How large objects are written, and what files of a sink, segments, copies and streams share for it:
 *
 * 1. **Not created.** Bytes are collected in pooled buffers (`bufferPool.ts`) until they make a part (`partSizes.ts`).
 *    What never does is one PUT.
 * 2. **Created.** The first part creates the upload. Where its answer is lost the request is repeated, and leaves an upload
 *    that nobody knows. Housekeeping removes that one, as it does after a crash; no engine looks for it.
 * 3. **Parts under way**, several at once (`partQueue.ts`, and for one object `upload.ts`). A part that is uploaded again
 *    replaces itself. Repeating requests is the business of the store's decorators.
 * 4. **Complete asked.** All parts have arrived, and Complete names them with its conditions. Nothing was visible before.
 * 5. **In doubt** after most errors. Then the object and the upload are asked (`proof.ts`, `publish.ts`), until it is
 *    **ours**, **not yet** published and asked again, **lost**, or **foreign**. Ours is what has our mark in its
 *    metadata and has our length; where nobody else writes to the key, also what has our composite ETag. Under KMS ETags
 *    prove nothing, and the mark alone counts.
 * 6. **Aborted**, if it ends before 4: requests first, then the upload, since a part that arrives late may outlive it. The
 *    request of 2 is not aborted but waited for, since only its answer tells the id. Files of a sink are never aborted: a
 *    checkpoint may name them.
 *
 * A crash leaves in 1 nothing; in 2 to 4 an upload; from 5 on an upload, or the whole object. **Housekeeping** of uploads is
 * the sweep of the job that made them, by names; for copies with a note, the copy that continues them; and for all others
 * `millrace uploads abort`, or a lifecycle rule of the bucket.
 */
export * from './bufferPool.js';
export { PartQueue, type QueuedPart } from './partQueue.js';
export * from './partSizes.js';
export * from './publish.js';
export { MultipartUpload, type Part } from './upload.js';
