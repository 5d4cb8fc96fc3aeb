/**
 * The gateway: serves any `ObjectStore` over the S3 protocol with `node:http`. The embedded S3 of tests and demos.
 *
 * For each request, it finds the target and operation (`target.ts`, `router.ts`), verifies the signature (`sigv4.ts`), reads
 * the body and verifies its hashes (`body.ts`, `chunked.ts`), runs the operation on the bucket's store (`operations/`), and
 * sends the response with backpressure (`send.ts`). Faults can be injected at each step (`faults.ts`), and requests can be
 * observed.
 *
 * Objects are read in ranges of at most 8 MiB, pinned to one version; a client that disconnects cancels its requests to the
 * store. The gateway does not retry: errors of the store become S3's.
 *
 * @example
 * ```ts
 * const gateway = await startGateway({ buckets: { lake: memoryStore('lake') }, credentials });
 * const store = s3Store('lake', { endpoint: gateway.endpoint, credentials });
 * await gateway.close();
 * ```
 */
export type { GatewayEncryption } from './call.js';
export { startGateway, type Gateway, type GatewayEvent, type GatewayOptions } from './gateway.js';
export type { Failure, Fault, FaultRequest, Faults } from './faults.js';
export type { GatewayOperation } from './router.js';
export type { StsOptions } from './sts.js';
