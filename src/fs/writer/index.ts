/**
 * Writing an object, whatever its size, in bounded memory. Nothing is visible under its key before the end, and then
 * all of it; what fails or is unsubscribed leaves nothing behind.
 *
 * 1. Bytes are copied into a buffer, which becomes a part when it is full and more come (`writer.ts`). With the first
 *    part an upload is created (`store/multipart`); several parts are uploaded at once, and the writer waits while too many are
 *    under way.
 * 2. At the end: what never filled a part is one PUT. Else the rest is the last part, and Complete publishes them.
 *    Conditions (`If-None-Match: *`, `If-Match`) go with that request, so they hold at the moment of publishing.
 * 3. What became of 2 when its answer was lost, `store/multipart` finds out by the put-id. So no success is reported as a
 *    failure, and no object is overwritten against the condition.
 * 4. On an error or an unsubscribe before that, requests are aborted, then the upload. An upload that is just being
 *    created is waited for, so that it can be aborted. After a crash it stays, for `millrace uploads abort` or a
 *    lifecycle rule of the bucket.
 *
 * Parts grow with their number as those of the sink do: 10,000 of them hold 5 TiB.
 */
export { describedContent } from './contentType.js';
export { conditioned, writeObject } from './write.js';
export { ObjectWriter, type WriteTarget } from './writer.js';
