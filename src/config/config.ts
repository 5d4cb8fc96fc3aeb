import type { Origin } from './load/said.js';
import type { Logger } from './logger.js';
import type { S3Credentials, S3Options } from './s3Options.js';

export type { Origin } from './load/said.js';

/** The configuration: checked, sizes in bytes and durations in milliseconds. Secrets do not show when it is printed. */
export interface Config {
  readonly s3: S3Options;
  readonly transfer: Transfer;
  readonly checkpoints: Checkpoints;
  readonly restart: Restarts;
  readonly stalled: Stalls;
  readonly state: State;
  readonly delegationTokens: DelegationTokens;
  readonly logger: Logger;
  /** Values that were moved into their bounds, names that are likely slips, keys that another one overrules. */
  readonly warnings: readonly string[];
  /** Where the value of a flat key comes from. */
  origin(key: string): Origin;
}

/** See `TransferOptions`. What is missing has a default that depends on who transfers. */
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
}

/** See `DelegationTokenOptions`. */
export interface DelegationTokens {
  readonly enabled: boolean;
  readonly credentials?: Pick<S3Credentials, 'accessKeyId' | 'secretAccessKey'>;
  readonly region?: string;
}
