import type { Origin } from './load/settings.js';
import type { Logger } from './logger.js';
import type { S3Credentials, S3Options } from './s3Options.js';

export type { Origin } from './load/settings.js';

/** The validated configuration: sizes in bytes, durations in milliseconds. Printing it does not show secrets. */
export interface Config {
  readonly s3: S3Options;
  readonly transfer: Transfer;
  readonly checkpoints: Checkpoints;
  readonly savepoints: Savepoints;
  readonly restart: Restarts;
  readonly stalled: Stalls;
  readonly state: State;
  readonly delegationTokens: DelegationTokens;
  readonly logger: Logger;
  /** Clamped values, names that are probably misspelled, keys that another one overrides. */
  readonly warnings: readonly string[];
  /** The origin of a flat key's value. */
  origin(key: string): Origin;
}

/** See `TransferOptions`. The defaults of missing values depend on the user of the option. */
export interface Transfer {
  readonly partSize: number;
  readonly uploadConcurrency: number;
  readonly uploadBudget?: number;
  readonly writePartSize: number;
  readonly readBuffer: number;
  readonly readBudget: number;
  readonly fragmentSize?: number;
  readonly fragmentNumber?: number;
  readonly sourceBudget: number;
  readonly memoryBudget?: number;
  readonly parallel: boolean;
  readonly bulkCopy: { readonly enabled: boolean; readonly concurrency: number };
  readonly entropy: { readonly key?: string; readonly length: number };
}

/** See `CheckpointDefaults`. */
export interface Checkpoints {
  readonly dir?: string;
  readonly interval: number | 'none';
  readonly timeout?: number;
  readonly minPause?: number;
  readonly mode: 'EXACTLY_ONCE' | 'AT_LEAST_ONCE';
  readonly tolerableFailures?: number;
  readonly retained?: number;
  readonly fencing: 'required' | 'none';
  readonly sign?: { readonly keys?: readonly string[]; readonly accept?: 'unsigned' | 'moved' };
}

/** See `SavepointDefaults`. */
export interface Savepoints {
  readonly dir?: string;
  readonly from?: string;
  readonly ignoreUnclaimed: boolean;
}

/** See `StallDefaults`. */
export interface Stalls {
  readonly after: number | 'none';
}

/** See `RestartDefaults`. */
export interface Restarts {
  readonly type: 'exponential-delay' | 'none';
  readonly initial?: number;
  readonly max?: number;
  readonly multiplier?: number;
  readonly jitter?: number;
  readonly resetAfter?: number;
  readonly attempts?: number;
  readonly checkpointTimeouts?: number;
}

/** See `StateOptions`. */
export interface State {
  readonly backend?: 's3';
  readonly compression: boolean;
  readonly encryption: boolean;
  readonly extension: string;
  readonly partSize: number;
  readonly compactionTrigger: number;
  readonly exportDir?: string;
}

/** See `DelegationTokenOptions`. */
export interface DelegationTokens {
  readonly enabled: boolean;
  readonly credentials?: Pick<S3Credentials, 'accessKeyId' | 'secretAccessKey'>;
  readonly region?: string;
}
