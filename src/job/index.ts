/**
 * Jobs: wiring, lifecycle, restart. `createJob` makes one; `run` turns attempts over until one finishes or is stopped.
 */
export type { JobEvent, LifeEvent, ReportedEvent } from './events.js';
export { createJob, type Job, type RunOptions, type RunResult } from './job.js';
export type { CheckpointOptions, JobOptions, RestartOptions, SignOptions, StallOptions } from './options.js';
export type { StallEvent, Waiting } from './stalls.js';
export { stopOn } from './stopOn.js';
