/**
 * How large objects are written, and what files of a sink, segments, copies and streams share for it:
 *
 * 1. **Not created.** Bytes are collected in pooled buffers (`bufferPool.ts`) until they make a part (`partSizes.ts`).
 *    What never does is one PUT.
 * 2. **Created.** The first part creates the upload. That request is not aborted by an unsubscribe, since only its answer
 *    tells the id of an upload that may be there already.
 * 3. **Parts under way**, several at once. A part that is uploaded again replaces itself. Repeating requests is the business
 *    of the store's decorators.
 * 4. **Complete asked.** All parts have arrived, and Complete names them with its conditions. Nothing was visible before.
 * 5. **In doubt** after most errors. Then the object and the upload are asked (`proof.ts`, `publish.ts`), until it is
 *    **ours**, **not yet** published and asked again, **lost**, or **foreign**. Ours is what has our mark in its
 *    metadata and has our length; where nobody else writes to the key, also what has our composite ETag. Under KMS ETags
 *    prove nothing, and the mark alone counts.
 * 6. **Aborted**, if it ends before 4: requests first, then the upload, since a part that arrives late may outlive it.
 *
 * A crash leaves in 1 nothing; in 2 to 4 an upload, for the sweep of the job that made it, the note of the copy that goes on
 * with it, or `millrace uploads abort`; from 5 on an upload, or the whole object.
 */
export * from './bufferPool.js';
export * from './partSizes.js';
export { notOurs } from './proof.js';
export * from './publish.js';
