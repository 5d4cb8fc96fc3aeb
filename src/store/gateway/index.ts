/**
 * The gateway: any `ObjectStore` served over the S3 protocol, from `node:http`. The embedded S3 of tests and demos.
 *
 * A request passes through in this order: its target and operation are found (`target.ts`, `router.ts`), its signature
 * is verified (`sigv4.ts`), its body is read and checked against every hash that came with it (`body.ts`,
 * `chunked.ts`), the operation asks the bucket's store (`operations/`), and the answer is sent no faster than the
 * client takes it (`send.ts`). At each step a fault can be asked for (`faults.ts`), and the requests can be observed.
 *
 * Objects are read in ranges of at most 8 MiB, pinned to one version; a client that goes away cancels what the store
 * does for it. The gateway retries nothing: errors of the store become S3's.
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
