/**
 * Writes an object of any size in bounded memory. It is published as a whole at the end; an error or an unsubscribe leaves
 * nothing.
 *
 * 1. Bytes are copied into a buffer, which becomes a part when it is full and more bytes follow (`writer.ts`). The first part
 *    creates an upload (`store/multipart`); several parts are uploaded concurrently, and the writer waits while too many are in flight.
 * 2. At the end, less than a part is one PUT. Otherwise the rest is the last part, and Complete publishes the object. The
 *    conditions (`If-None-Match: *`, `If-Match`) are part of that request, so they apply at the moment of publishing.
 * 3. If the response to 2 is lost, `store/multipart` determines the outcome by the put-id. So no success is reported as a
 *    failure, and no object is overwritten against a condition.
 * 4. On an earlier error or unsubscribe, requests are aborted, then the upload. If the upload is just being created, that is
 *    awaited. After a crash the upload is left for `millrace uploads abort` or a lifecycle rule of the bucket.
 *
 * Parts grow with their number like those of the sink: 10,000 of them hold 5 TiB.
 */
export { describedContent } from './contentType.js';
export { PartStream } from './partStream.js';
export { conditioned, writeObject } from './write.js';
export { ObjectWriter, type WriteTarget } from './writer.js';
