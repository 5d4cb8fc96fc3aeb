/**
 * millrace: RxJS pipelines over S3 that survive `kill -9`.
 *
 * Start at `createJob`. A job has sources (`files`), operators (`records`, `keyed`, `mergeFlows`, `values`), and sinks
 * (`fileSink`); everything else here is for those who write their own.
 */
export * from './config/public.js';
export { isRetryable, MillraceError, type MillraceErrorOptions } from './errors.js';
export * from './flow/index.js';
export { bytes } from './formats/bytes.js';
export type { Cutter, Format, Malformed, Reader, Writer } from './formats/format.js';
export { JsonNumber } from './formats/jsonNumbers.js';
export { ndjson, type NdjsonOptions } from './formats/ndjson.js';
export { text } from './formats/text.js';
export * from './job/index.js';
export { keyed, type KeyedOptions } from './operators/keyed.js';
export { mergeFlows } from './operators/mergeFlows.js';
export { records } from './operators/records.js';
export { values } from './operators/values.js';
export {
  filePath,
  fileUri,
  formatUri,
  InvalidGlob,
  InvalidUri,
  parseUri,
  PathError,
  S3Path,
  UnknownScheme,
  type ObjectUri,
  type PathErrorCode,
  type Scheme,
} from './path/index.js';
export { fileSink } from './sinks/file/fileSink.js';
export type { FileSinkOptions, RollOptions } from './sinks/file/options.js';
export { deadLetter, files, type DeadLetterPolicy, type FilesOptions } from './sources/files.js';
export * from './sources/errors.js';
export type { SourceEvent } from './sources/events.js';
export type * from './sources/source.js';
export * from './sinks/file/errors.js';
export type { SinkEvent } from './sinks/events.js';
export { CheckpointError, type CheckpointErrorCode, type CheckpointEvent } from './checkpoint/index.js';
export {
  StateError,
  valueState,
  type StateEvent,
  type Handles,
  type Key,
  type Serializer,
  type StateSpec,
  type StateSpecs,
  type ValueState,
  type ValueStateOptions,
} from './state/index.js';
export * from './store/index.js';
