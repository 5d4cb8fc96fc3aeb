import { backoffDelay } from '../flow/backoff.js';

/**
 * When a failed attempt is restarted: exponential backoff with jitter, reset after a long enough stable run.
 * Parameters and defaults are those of Flink's `exponential-delay` restart strategy.
 */
export interface RestartPolicy {
  /** Milliseconds before the first restart. Default 1 s. */
  readonly initial: number;
  /** Upper bound of the delay. Default 1 min. */
  readonly max: number;
  /** Default 1.5. */
  readonly multiplier: number;
  /** Random jitter, as a fraction of the delay, in either direction. Default 0.1. */
  readonly jitter: number;
  /** An attempt that ran this long, with a durable checkpoint, resets the delay to the initial one. Default 1 h. */
  readonly resetAfter: number;
  /** Consecutive restarts before the job fails. Default: no limit. */
  readonly attempts: number;
  /**
   * Attempts that fail because a checkpoint timed out, without a durable one between them, before the job fails.
   * Default 3.
   */
  readonly checkpointTimeouts: number;
}

export const defaultRestart: RestartPolicy = {
  initial: 1_000,
  max: 60_000,
  multiplier: 1.5,
  jitter: 0.1,
  resetAfter: 3_600_000,
  attempts: Infinity,
  checkpointTimeouts: 3,
};

/** The history of attempts so far. */
export interface RestartState {
  /** Restarts since the last stable run. */
  readonly restarts: number;
  /** Attempts that failed because a checkpoint timed out, since the last durable one. */
  readonly timeouts: number;
}

export const freshRestarts: RestartState = { restarts: 0, timeouts: 0 };

/** A failed attempt. */
export interface FailedAttempt {
  readonly ranMs: number;
  /** Whether one of its checkpoints became durable, so that the job has made progress. */
  readonly durable: boolean;
  /** Whether it failed because a checkpoint timed out. */
  readonly timedOut: boolean;
}

/**
 * The delay in milliseconds before the next attempt, or the limit that has been reached.
 *
 * @param random uniform in [0, 1)
 */
export function nextRestart(
  policy: RestartPolicy,
  before: RestartState,
  { ranMs, durable, timedOut }: FailedAttempt,
  random: number,
): { readonly state: RestartState; readonly next: number | 'attempts' | 'checkpointTimeouts' } {
  const restarts = durable && ranMs >= policy.resetAfter ? 0 : before.restarts;
  const timeouts = (durable ? 0 : before.timeouts) + (timedOut ? 1 : 0);
  const state = { restarts, timeouts };
  if (restarts >= policy.attempts) return { state, next: 'attempts' };
  if (timeouts >= policy.checkpointTimeouts) return { state, next: 'checkpointTimeouts' };
  const { initial: first, max, multiplier, jitter } = policy;
  const spread = [1 - jitter, 1 + jitter] as const;
  const next = backoffDelay({ first, max, multiplier, spread }, restarts + 1, random);
  return { state: { restarts: restarts + 1, timeouts }, next };
}
