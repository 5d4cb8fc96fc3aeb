/**
 * millrace: RxJS pipelines over S3 that survive `kill -9`.
 *
 * Start at `createJob`. A job has sources (`files`), operators (`records`, `watermarks`, `keyed` and those made of it,
 * such as `countByKey`, `mergeFlows`, `values`), and sinks (`fileSink`, `outboxSink`, `httpSink`). `millrace/operators` has the API for writing
 * operators, sources, sinks and formats; `millrace/stores` has object stores, their connections and credentials.
 */

// Jobs
export { bounded, type BoundedOptions } from './job/bounded.js';
export { createJob, type Job, type RunOptions, type RunResult, type SavepointOptions } from './job/job.js';
export type { JobEvent } from './job/events.js';
export type { CheckpointOptions, JobOptions, RestartOptions, StallOptions } from './job/options.js';
export type { SignOptions } from './job/signing.js';
export {
  openState,
  type OpenedCheckpoint,
  type OpenedState,
  type OpenStateOptions,
  type OperatorState,
  type ReadEntriesOptions,
  type StateDescription,
  type StateEntry,
} from './job/openState.js';
export type { ExportStateOptions } from './job/exportState.js';
export { importState, type ImportStateOptions } from './job/importState.js';
export type { StateProgress } from './job/stateFolder.js';
export type { StateStoresOptions } from './job/stateStores.js';
export { provide, type Provided } from './job/services.js';
export { stopOn } from './job/stopOn.js';
export { toAsyncIterable, toReadable, type RunLeaf } from './job/toAsyncIterable.js';
export type { Flow, FlowOperator } from './flow/flow.js';
export type { Json, Signal } from './flow/signals.js';

// Sources
export type { DiscoverOptions } from './sources/continuous/options.js';
export { deadLetter, files, type DeadLetterPolicy, type FilesOptions } from './sources/files.js';
export { fromAsyncIterable, fromReadable, type IterableOptions } from './sources/fromAsyncIterable.js';
export { fromObservable, type ObservableOptions } from './sources/fromObservable.js';
export { fromReplayable, type Page, type ReplayableOptions } from './sources/fromReplayable.js';
export { fragments, type FragmentsOptions, type ObjectFragment } from './sources/objectFragments.js';
export type { DeadLetter } from './sources/source.js';

// Formats
export { bytes } from './formats/bytes.js';
export { csv, type CsvOptions, type CsvRow } from './formats/csv/csv.js';
export type { CsvDialectOptions } from './formats/csv/dialect.js';
export type { FileFormat, Format } from './formats/format.js';
export { jsonArray } from './formats/jsonArray.js';
export { JsonNumber } from './formats/jsonNumbers.js';
export type { NdjsonOptions } from './formats/jsonParsers.js';
export { lengthPrefixed, type LengthPrefixedOptions } from './formats/lengthPrefixed.js';
export { ndjson } from './formats/ndjson.js';
export { text, type TextOptions } from './formats/text.js';
export { whole, type WholeObject, type WholeOptions } from './formats/whole.js';

// Operators
export type { ByKeyOptions } from './operators/keyed/byKeyOptions.js';
export { countByKey, type KeyCount } from './operators/countByKey.js';
export { distinctByKey, type DistinctByKeyOptions } from './operators/distinctByKey.js';
export { joinByKey, type JoinByKeyOptions } from './operators/joinByKey.js';
export type { Timer } from './operators/keyed/dueTimers.js';
export { keyed } from './operators/keyed.js';
export type { KeyedOptions } from './operators/keyed/keyedOptions.js';
export { latestByKey, type LatestByKeyOptions } from './operators/latestByKey.js';
export { mergeFlows } from './operators/mergeFlows.js';
export { records } from './operators/records.js';
export { reduceByKey } from './operators/reduceByKey.js';
export { scanByKey, type AccumulateOptions } from './operators/scanByKey.js';
export { scanState, type ScanStateOptions } from './operators/scanState.js';
export { values } from './operators/values.js';
export { watermarks, type WatermarkOptions } from './operators/watermarks.js';

// State
export {
  aggregatingState,
  keyGroupOf,
  keyGroupRange,
  listState,
  mapState,
  reducingState,
  timers,
  valueState,
  type ContentsOf,
  type Aggregate,
  type AggregatingState,
  type Handles,
  type Key,
  type KeyedStateOptions,
  type KeyGroupRange,
  type StateNameOptions,
  type ListState,
  type MapState,
  type PendingTimer,
  type ReducingState,
  type Serializer,
  type StateSpec,
  type StateSpecs,
  type Timers,
  type TimerTime,
  type TtlOptions,
  type ValueState,
} from './state/index.js';

// Sinks
export type {
  FileManifest,
  LatestManifest,
  ManifestFile,
  ManifestPosition,
} from './sinks/file/fileManifest.js';
export { fileSink } from './sinks/file/fileSink.js';
export type { ObjectOptions } from './sinks/file/objectOptions.js';
export { byTime, type ByTimeOptions } from './sinks/file/partitions/byTime.js';
export { hive, type HiveColumn, type HiveValue } from './sinks/file/partitions/hive.js';
export type { Partitioner } from './sinks/file/partitions/partitioner.js';
export type { FileSinkOptions, RollCandidate, RollOptions } from './sinks/file/options.js';
export { httpSink, type HttpSinkOptions } from './sinks/http/httpSink.js';
export { PoisonBatch, PublishFailed } from './sinks/outbox/errors.js';
export type { OutboxOrigin } from './sinks/outbox/lineage.js';
export {
  isNewBatch,
  isPublished,
  LowerEpoch,
  TargetAhead,
  type OutboxLastMark,
  type OutboxMark,
} from './sinks/outbox/mark.js';
export type {
  PoisonOptions,
  OutboxOptions,
  OutboxRetryOptions,
  OutboxSinkOptions,
  Publish,
  Published,
} from './sinks/outbox/options.js';
export { outboxSink } from './sinks/outbox/outboxSink.js';
export type { OnUnencodable } from './flow/unencodable.js';

// Configuration
export type { Config } from './config/config.js';
export { ConfigError, type ConfigProblem } from './config/errors.js';
export { loadConfig, type LoadOptions } from './config/load/index.js';
export { silentLogger, type Logger } from './config/logger.js';
export type { ConfigOptions } from './config/options.js';
export type { S3Options } from './config/s3Options.js';
export type { Duration, Size } from './config/units.js';

// Stores for trying out a job. millrace/stores and millrace/testing also export these, and everything else about stores.
export { decorate } from './store/decorators/decorate.js';
export { startGateway } from './store/gateway/index.js';
export { listAll } from './store/helpers.js';
export { createMemoryStore } from './store/memory/index.js';
export { openStores } from './store/open.js';
export { createStores } from './store/registry.js';

// Errors
export { isRetryable, MillraceError } from './errors.js';
