/**
 * What `job.events$` shows: a discriminated union on `type`, plain data, in the order in which it happened. Operators
 * may report further types of their own; treat unknown ones as information.
 */
export type JobEvent =
  | { readonly type: 'attempt-started'; readonly job: string; readonly attempt: number }
  | {
      readonly type: 'running';
      readonly job: string;
      readonly jobId: string;
      readonly epoch: number;
      /** The restored checkpoint; 0 on a first start. */
      readonly checkpoint: number;
    }
  | { readonly type: 'restarting'; readonly job: string; readonly delayMs: number; readonly error: unknown }
  | { readonly type: 'finished'; readonly job: string }
  | { readonly type: 'stopped'; readonly job: string }
  | { readonly type: 'failed'; readonly job: string; readonly error: unknown }
  | ReportedEvent;

/** What the checkpoint coordinator and operators report. */
export interface ReportedEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}
