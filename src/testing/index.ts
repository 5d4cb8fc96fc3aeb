/**
 * `millrace/testing`: test kits for custom operators, stores and jobs, the same that millrace's own tests use.
 */

// Operators
export {
  checkLaws,
  checkMergeLaws,
  lawInputs,
  mergeInputs,
  type LawElement,
  type LawInput,
  type LawOptions,
  type MergeInput,
  type MergeLawOptions,
  type MergeRecord,
  type Services,
  type StuckOptions,
} from './laws/index.js';
export { matrix, type MatrixRow } from './matrix/rows.js';
export type { MatrixSubject } from './matrix/run.js';
export { memoryServices, type MemoryServicesOptions } from './memoryServices.js';
export { parseMarbleFile, type MarbleAttempt, type MarbleFile, type MarbleLine } from './marbleFile.js';
export { runMarbles, type MarbleResult, type MarbleServices } from './runMarbles.js';
export { TestAttempt, type TestAttemptOptions, type TestBarrier, type Trace } from './testAttempt.js';

// Time
export { clockOf } from '../flow/clock.js';
export { SimulatedClock } from './simulatedClock.js';

// Stores
export { delayed, type DelayOptions } from '../store/decorators/delay.js';
export { crashAt, faulty, type FaultOptions, type MortalStore } from '../store/decorators/faults.js';
export {
  storeConformance,
  type Case,
  type ConformanceStore,
  type Declare,
  type OtherBucket,
  type StoreFeatures,
  type TestRunner,
} from './storeConformance.js';

// An S3 server in the process
export {
  startGateway,
  type Failure,
  type Fault,
  type FaultRequest,
  type Faults,
  type Gateway,
  type GatewayEncryption,
  type GatewayEvent,
  type GatewayOperation,
  type GatewayOptions,
  type StsOptions,
} from '../store/gateway/index.js';
