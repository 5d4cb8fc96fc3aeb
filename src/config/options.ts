import type { Logger } from './logger.js';
import type { S3Credentials, S3Options } from './s3Options.js';
import type { Duration, Size } from './units.js';

/** How bytes move. */
export interface TransferOptions {
  /** Of what sinks write. 5 MiB to 1 GiB. Default 8 MiB. */
  readonly partSize?: Size;
  /** Parts of one sink or written file under way at once. Default 4. */
  readonly uploadConcurrency?: number;
  /** Memory of a sink for what is not uploaded yet. Default 64 MiB, or twice the largest part. */
  readonly uploadBudget?: Size;
  /** Of what operations and `millrace/fs` write. 5 MiB to 1 GiB. Default 8 MiB. */
  readonly writePartSize?: Size;
  /** Bytes that a read stream hands over at once. 64 KiB to 4 MiB; beyond is moved to the bound. Default 256 KiB. */
  readonly readBuffer?: Size;
  /** Memory that all readers of `millrace/fs` and the operations share. Default 64 MiB. */
  readonly readBudget?: Size;
  /** Bytes that one request of a read asks for. Default 5 MiB, for `files()` 8 MiB. */
  readonly fragmentSize?: Size;
  /** Fragments that a read holds or has under way. 2 or more. Default 50, for `files()` 8. */
  readonly fragmentNumber?: number;
  /** Bytes of input that a source may be ahead of its slowest sink. Default 16 MiB. */
  readonly sourceBudget?: Size;
  /** `false`: one request of a transfer at a time. Default true. */
  readonly parallel?: boolean;
  readonly bulkCopy?: {
    /** `false`: one object after the other. Default true. */
    readonly enabled?: boolean;
    /** Objects under way at once; at most `s3.maxSockets`. Default 16. */
    readonly concurrency?: number;
  };
  /** Random characters in the names of checkpoint data, in place of `key`. */
  readonly entropy?: { readonly key?: string; readonly length?: number };
}

/** Checkpoints, for all jobs that say nothing else. */
export interface CheckpointDefaults {
  readonly dir?: string;
  /** Default 10 s. `'none'`: only the last one is taken. */
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

/** When a job that waits tells so, for all jobs that set nothing else. */
export interface StallDefaults {
  /** Default 30 s. `'none'`: never. */
  readonly after?: Duration;
}

/** Restarts, for all jobs that say nothing else. */
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
  /** Snappy. Default true. */
  readonly compression?: boolean;
  /** SSE-S3 in the bucket of the checkpoints where `s3.sse` says nothing. Default false. */
  readonly encryption?: boolean;
  /** Ends segments' names. Default `.state`. */
  readonly extension?: string;
  /** Of segments that are larger. 5 MiB to 1 GiB. Default 10 MiB. */
  readonly partSize?: Size;
  /** As many segments of about one size are merged into one. 2 to 16. Default 8. */
  readonly compactionTrigger?: number;
}

/** Session tokens for workers. */
export interface DelegationTokenOptions {
  /** Default false. */
  readonly enabled?: boolean;
  /** What tokens are obtained with. Default: those of `s3`. */
  readonly credentials?: Pick<S3Credentials, 'accessKeyId' | 'secretAccessKey'>;
  /** Default: that of `s3`. */
  readonly region?: string;
}

/** Everything that can be configured, typed and nested: what code says. */
export interface ConfigOptions {
  readonly s3?: S3Options;
  readonly transfer?: TransferOptions;
  readonly checkpoints?: CheckpointDefaults;
  readonly restart?: RestartDefaults;
  readonly stalled?: StallDefaults;
  readonly state?: StateOptions;
  readonly delegationTokens?: DelegationTokenOptions;
  /** Default: warnings and errors go to standard error, one line each. `silentLogger` logs nothing. */
  readonly logger?: Logger;
}
