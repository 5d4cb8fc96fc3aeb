import type { Logger } from './logger.js';
import type { S3Credentials, S3Options } from './s3Options.js';
import type { Duration, Size } from './units.js';

/** Transfers of objects. */
export interface TransferOptions {
  /** The part size of sinks. 5 MiB to 1 GiB. Default 8 MiB. */
  readonly partSize?: Size;
  /** Concurrent part uploads of one sink or written file. Default 4. */
  readonly uploadConcurrency?: number;
  /** Memory of a sink for data that is not uploaded yet. Default 64 MiB, or twice the largest part. */
  readonly uploadBudget?: Size;
  /** The part size of operations and `millrace/fs`. 5 MiB to 1 GiB. Default 8 MiB. */
  readonly writePartSize?: Size;
  /** The chunk size of a read stream. 64 KiB to 4 MiB; other values are clamped. Default 256 KiB. */
  readonly readBuffer?: Size;
  /** The memory shared by all readers of `millrace/fs` and the operations. Default 64 MiB. */
  readonly readBudget?: Size;
  /** Bytes per request of a read. Default 5 MiB, for `files()` 8 MiB. */
  readonly fragmentSize?: Size;
  /** The maximum number of fragments of a read in flight or in memory. 2 or more. Default 50, for `files()` 8. */
  readonly fragmentNumber?: number;
  /** How far a source may be ahead of its slowest sink, in bytes of input. Default 16 MiB. */
  readonly sourceBudget?: Size;
  /** Memory that all jobs of a process share. Default: half of that of the machine or container. */
  readonly memoryBudget?: Size;
  /** `false`: a transfer makes one request at a time. Default true. */
  readonly parallel?: boolean;
  readonly bulkCopy?: {
    /** `false`: objects are copied one at a time. Default true. */
    readonly enabled?: boolean;
    /** Objects copied concurrently; at most `s3.maxSockets`. Default 16. */
    readonly concurrency?: number;
  };
  /** Random characters in the names of checkpoint data, in place of `key`. */
  readonly entropy?: { readonly key?: string; readonly length?: number };
}

/** The default checkpointing of jobs. */
export interface CheckpointDefaults {
  readonly dir?: string;
  /** Default 10 s. `'none'`: only the final checkpoint is taken. */
  readonly interval?: Duration;
  readonly timeout?: Duration;
  readonly minPause?: Duration;
  readonly mode?: 'EXACTLY_ONCE' | 'AT_LEAST_ONCE';
  readonly tolerableFailures?: number;
  readonly retained?: number;
  readonly fencing?: 'required' | 'none';
  /** Keys of 32 characters or more: the first signs manifests, all verify. Default: manifests are not signed. */
  readonly sign?: { readonly keys?: string | readonly string[]; readonly accept?: 'unsigned' | 'moved' };
}

/** Savepoints of jobs. */
export interface SavepointDefaults {
  /** The directory in which `job.savepoint()` makes them. */
  readonly dir?: string;
  /** The savepoint that a job without checkpoints begins with. */
  readonly from?: string;
  /** State in the savepoint that no operator claims is dropped. Default `false`: it is `VanishedOperator`. */
  readonly ignoreUnclaimed?: boolean;
}

/** The default stall reports of jobs. */
export interface StallDefaults {
  /** Default 30 s. `'none'`: never. */
  readonly after?: Duration;
}

/** The default restarts of jobs. */
export interface RestartDefaults {
  readonly type?: 'exponential-delay' | 'none';
  readonly initial?: Duration;
  readonly max?: Duration;
  readonly multiplier?: number;
  readonly jitter?: number;
  readonly resetAfter?: Duration;
  readonly attempts?: number;
  readonly checkpointTimeouts?: number;
}

/** Keyed state in the store. */
export interface StateOptions {
  /** `s3` refuses checkpoint directories elsewhere. */
  readonly backend?: 's3';
  /** Snappy, for segments and exported entries. Default true. */
  readonly compression?: boolean;
  /** SSE-S3 in the buckets of the checkpoints and of exported and imported state, unless `s3.sse` is set. Default false. */
  readonly encryption?: boolean;
  /** Ends the names of segments and exported entries. Default `.state`. */
  readonly extension?: string;
  /** The part size of larger segments and exported entries. 5 MiB to 1 GiB. Default 10 MiB. */
  readonly partSize?: Size;
  /** The number of segments of similar size that are merged into one. 2 to 16. Default 8. */
  readonly compactionTrigger?: number;
  /** The folder that state is exported to, unless another one is named. */
  readonly exportDir?: string;
}

/** Session tokens for workers. */
export interface DelegationTokenOptions {
  /** Default false. */
  readonly enabled?: boolean;
  /** The credentials that tokens are obtained with. Default: those of `s3`. */
  readonly credentials?: Pick<S3Credentials, 'accessKeyId' | 'secretAccessKey'>;
  /** Default: that of `s3`. */
  readonly region?: string;
}

/** All configuration options, typed and nested, as set in code. */
export interface ConfigOptions {
  readonly s3?: S3Options;
  readonly transfer?: TransferOptions;
  readonly checkpoints?: CheckpointDefaults;
  readonly savepoints?: SavepointDefaults;
  readonly restart?: RestartDefaults;
  readonly stalled?: StallDefaults;
  readonly state?: StateOptions;
  readonly delegationTokens?: DelegationTokenOptions;
  /** Default: warnings and errors go to standard error, one line each. `silentLogger` logs nothing. */
  readonly logger?: Logger;
}
