/**
 * How large objects are written. Files of a sink, segments, copies and streams share these steps:
 *
 * 1. **Not created.** Bytes are collected in pooled buffers (`bufferPool.ts`) until they fill a part (`partSizes.ts`).
 *    An object that never fills one is a single PUT.
 * 2. **Created.** The first part creates the upload. If the answer is lost, the request is repeated, which leaves an
 *    unknown upload behind. Housekeeping removes it, as it does after a crash; no engine looks for it.
 * 3. **Parts in flight**, several concurrently (`partQueue.ts`, and for one object `upload.ts`). Uploading a part again
 *    replaces it. The store's decorators repeat requests.
 * 4. **Completing.** All parts have arrived, and Complete names them with its conditions. Nothing is visible before.
 * 5. **In doubt** after most errors. The object and the upload are then examined (`proof.ts`, `publish.ts`) until the object
 *    is found to be **ours**, **not yet** published (Complete is repeated), **lost**, or **foreign**. It is ours if it has our
 *    mark in its metadata and our length, or, where no other writer uses the key, our composite ETag. Under KMS, ETags prove
 *    nothing, and only the mark counts.
 * 6. **Aborted**, if it ends before 4: first the requests, then the upload, since a late part may outlive the upload. The
 *    request of 2 is awaited, not aborted, since only its answer has the id. Files of a sink are never aborted: a
 *    checkpoint may name them.
 *
 * A crash in 1 leaves nothing, in 2 to 4 an upload, and from 5 on an upload or the whole object. **Housekeeping** of uploads
 * is the sweep by name of the job that made them; for copies with a resume file, the copy that resumes them; for all others,
 * `millrace uploads abort` or a lifecycle rule of the bucket.
 */
export * from './bufferPool.js';
export { copyLimits, copyObject } from './copy.js';
export { ForeignObject, LostUpload } from './errors.js';
export { PartQueue, type QueuedPart } from './partQueue.js';
export * from './partSizes.js';
export * from './publish.js';
export { notOurs } from './proof.js';
export { publishSealed } from './sealed.js';
export * from './stored.js';
export * from './tails.js';
export { MultipartUpload, type Part } from './upload.js';
