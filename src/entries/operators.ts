/**
 * `millrace/operators`: the API for writing operators, sources, sinks and formats.
 *
 * {@link flowOperator} makes a `FlowOperator` of a {@link FlowSubscriber}. A source is a {@link Source}. A format is a `Format`:
 * a {@link Reader} with a {@link RowWriter} or a {@link Writer}. docs/writing-operators.md has examples.
 */

// Operators
export type { Known } from '../flow/flow.js';
export { flowExit, flowOf, flowOperator, FlowSubscriber, type RequestObserver } from '../flow/operator.js';
export {
  barrier,
  credit,
  end,
  isLast,
  isSignal,
  open,
  signal,
  watermark,
  type Barrier,
  type CheckpointReason,
  type Committable,
  type Credit,
  type End,
  type Frozen,
  type Open,
  type Watermark,
} from '../flow/signals.js';

// Operators with keyed state
export { checkStates, KeyedOperator, type KeyedOperatorOptions } from '../operators/keyed/keyedOperator.js';

// Access to the attempt and the outside world
export {
  Service,
  type Attempt,
  type Leftovers,
  type OperatorEvent,
  type Participant,
  type Restored,
} from '../flow/attempt.js';
export { memory, type Memory, type MemoryCharge, type MemoryShare, type MemoryUse } from '../flow/memory.js';
export { systemClock, type Clock } from '../flow/clock.js';
export { checkpointData, stores, type CheckpointData } from '../store/services.js';

// Sinks
export type {
  CommittableDescription,
  CommittableFields,
  Freezable,
  FrozenWork,
  Grouping,
  PublishOutcome,
  TwoPhaseKind,
} from '../sinks/twoPhase/kind.js';
export { TwoPhaseSink, type Prepared } from '../sinks/twoPhase/twoPhaseSink.js';
export type { Shape } from '../shape.js';
export type { OnMissingCommitted } from '../sinks/file/options.js';

// Sources and formats
export type { RecordPlace, Source, SourceContext, SourceOutput, SourceReader } from '../sources/source.js';
export type { CodecName } from '../formats/codec.js';
export type { GroupDecoder, GroupRange, GroupReader, GroupStart } from '../formats/groupReader.js';
export type { Cutter, Malformed, ObjectDecoder, ObjectStart, Reader, Splitting } from '../formats/reader.js';
export type {
  FileEncoder,
  FileOutput,
  Persisted,
  Restore,
  RowSeal,
  RowWriter,
  Writer,
} from '../formats/writer.js';
export type { RecordOf } from '../operators/mergeFlows.js';

// The members of `JobEvent`
export type { CheckpointEvent } from '../checkpoint/events.js';
export type { RecordSkipped } from '../flow/unencodable.js';
export type { LifeEvent, ReportedEvent } from '../job/events.js';
export type { FailurePlace } from '../job/failure.js';
export type { StallEvent, Waiting } from '../job/stalls.js';
export type { SinkEvent, TimeRange } from '../sinks/events.js';
export type {
  DiscoveryFailedEvent,
  InputChangedEvent,
  InputSkippedEvent,
  NotReadEvent,
  ProgressEvent,
  SkippedEvent,
  SourceEvent,
} from '../sources/events.js';

// Errors
export { CheckpointError, type CheckpointErrorCode } from '../checkpoint/errors.js';
export { InvalidOption } from '../config/units.js';
export type { MillraceErrorOptions } from '../errors.js';
export { ForeignName } from '../flow/foreignName.js';
export { PartitionTooLong } from '../sinks/file/errors.js';
export { ForeignObject, LostUpload } from '../store/multipart/errors.js';
export {
  MalformedRecord,
  MissingBucket,
  NoInput,
  ObjectChanged,
  ObjectVanished,
  SourceStuck,
  UnorderedListing,
  UnreadableInput,
} from '../sources/errors.js';
export { StateError, type StateErrorCode, type StateEvent } from '../state/index.js';
