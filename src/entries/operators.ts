/**
 * `millrace/operators`: for those who write operators, sources, sinks and formats.
 *
 * An operator is a {@link FlowSubscriber} made into a `FlowOperator` by {@link flowOperator}; a source is a {@link Source}, a
 * format a `Format` of a {@link Reader} and a {@link RowWriter} or {@link Writer}. docs/writing-operators.md shows each.
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

// With keyed state
export { checkStates, KeyedOperator, type KeyedOperatorOptions } from '../operators/keyed/keyedOperator.js';

// What they reach the world by
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
  PublishOutcome,
  TwoPhaseKind,
} from '../sinks/twoPhase/kind.js';
export { TwoPhaseSink, type Prepared } from '../sinks/twoPhase/twoPhaseSink.js';
export type { Shape } from '../shape.js';
export type { OnMissingCommitted } from '../sinks/file/options.js';

// Sources and formats
export type { RecordPlace, Source, SourceContext, SourceOutput, SourceReader } from '../sources/source.js';
export type { CodecName } from '../formats/codec.js';
export type { Cutter, Malformed, ObjectDecoder, ObjectStart, Reader } from '../formats/reader.js';
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

// Events, one by one: `JobEvent` has them all
export type { CheckpointEvent } from '../checkpoint/events.js';
export type { RecordSkipped } from '../flow/unencodable.js';
export type { LifeEvent, ReportedEvent } from '../job/events.js';
export type { FailurePlace } from '../job/failure.js';
export type { StallEvent, Waiting } from '../job/stalls.js';
export type { SinkEvent } from '../sinks/events.js';
export type { InputSkippedEvent, NotReadEvent, SkippedEvent, SourceEvent } from '../sources/events.js';

// Errors
export { CheckpointError, type CheckpointErrorCode } from '../checkpoint/errors.js';
export { InvalidOption } from '../config/units.js';
export type { MillraceErrorOptions } from '../errors.js';
export { ForeignName } from '../flow/foreignName.js';
export { ForeignObject, LostUpload, PartitionTooLong } from '../sinks/file/errors.js';
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
