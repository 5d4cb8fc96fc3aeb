import type { CheckpointEvent } from '../checkpoint/index.js';
import type { OperatorEvent, RecordSkipped } from '../flow/index.js';
import type { FailurePlace } from './failure.js';
import type { SinkEvent } from '../sinks/events.js';
import type { ProgressEvent, SourceEvent } from '../sources/events.js';
import type { StateEvent } from '../state/backend/events.js';
import type { StallEvent } from './stalls.js';

/**
 * An event of `job.events$`: plain data, a closed union that narrows on `type`, emitted in order. Reports of custom
 * operators arrive as `reported`.
 */
export type JobEvent =
  | LifeEvent
  | StallEvent
  | CheckpointEvent
  | ProgressEvent
  | SourceEvent
  | SinkEvent
  | StateEvent
  | RecordSkipped
  | ReportedEvent;

/** Events of a job's lifecycle. Times in milliseconds. */
export type LifeEvent =
  | { readonly type: 'attempt-started'; readonly job: string; readonly attempt: number }
  | {
      readonly type: 'running';
      readonly job: string;
      readonly jobId: string;
      readonly epoch: number;
      /** The restored checkpoint; 0 on a first start. */
      readonly checkpoint: number;
    }
  | (FailurePlace & {
      readonly type: 'restarting';
      readonly job: string;
      readonly delayMs: number;
      readonly error: unknown;
    })
  /**
   * Keyed state, which cannot be given back, takes more memory than all jobs of the process may hold together. Emitted at
   * most once per attempt. Approximate bytes.
   */
  | {
      readonly type: 'memory-exceeded';
      readonly job: string;
      /** Keyed state of all jobs of the process. */
      readonly state: number;
      /** The limit for all jobs of the process: `memory` of `createJob`. */
      readonly memory: number;
      /** A description for people. */
      readonly message: string;
    }
  | { readonly type: 'finished'; readonly job: string }
  | { readonly type: 'stopped'; readonly job: string }
  | (FailurePlace & { readonly type: 'failed'; readonly job: string; readonly error: unknown });

/** A report of a custom operator, passed to `attempt.report`. */
export type ReportedEvent = {
  readonly type: 'reported';
  readonly operator: string;
  readonly event: OperatorEvent;
};

type KnownEvent = SourceEvent | SinkEvent | StateEvent | RecordSkipped;

const known: Readonly<Record<KnownEvent['type'], true>> = {
  skipped: true,
  'record-skipped': true,
  'input-skipped': true,
  'input-changed': true,
  'input-not-read': true,
  'discovery-failed': true,
  committed: true,
  'missing-committed': true,
  'publish-retried': true,
  'batch-dead-lettered': true,
  'uploads-swept': true,
  warning: true,
  'segment-written': true,
  'segments-compacted': true,
  'compaction-failed': true,
};

/** An operator's report as an event of the job. */
export function reported(event: OperatorEvent): JobEvent {
  return Object.hasOwn(known, event.type)
    ? (event as KnownEvent)
    : { type: 'reported', operator: event.operator, event };
}
