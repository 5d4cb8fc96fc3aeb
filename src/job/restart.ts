/**
 * When a failed attempt is followed by another: exponential backoff with jitter, back to the start after a long
 * enough quiet run. The shape and the defaults are those of Flink's `exponential-delay` restart strategy.
 */
export interface RestartPolicy {
  /** Milliseconds before the first restart. Default 1 s. */
  readonly initial: number;
  /** Upper bound of the delay. Default 1 min. */
  readonly max: number;
  /** Default 1.5. */
  readonly multiplier: number;
  /** Share of the delay, drawn uniformly, by which it is moved either way. Default 0.1. */
  readonly jitter: number;
  /** An attempt that ran so long makes the next delay the initial one again. Default 1 h. */
  readonly resetAfter: number;
  /** Restarts in a row before the job gives up. Default: no limit. */
  readonly attempts: number;
}

export const defaultRestart: RestartPolicy = {
  initial: 1_000,
  max: 60_000,
  multiplier: 1.5,
  jitter: 0.1,
  resetAfter: 3_600_000,
  attempts: Infinity,
};

/** Restarts so far without a quiet run between them. */
export interface RestartState {
  readonly restarts: number;
}

export const freshRestarts: RestartState = { restarts: 0 };

/**
 * What to do after an attempt that ran for `ranMs` and failed: the delay before the next one, or `undefined` to give up.
 *
 * @param random uniform in [0, 1)
 */
export function nextRestart(
  policy: RestartPolicy,
  state: RestartState,
  ranMs: number,
  random: number,
): { readonly state: RestartState; readonly delay: number | undefined } {
  const restarts = ranMs >= policy.resetAfter ? 0 : state.restarts;
  if (restarts >= policy.attempts) return { state: { restarts }, delay: undefined };
  const base = Math.min(policy.max, policy.initial * policy.multiplier ** restarts);
  const delay = Math.min(policy.max, base * (1 + policy.jitter * (2 * random - 1)));
  return { state: { restarts: restarts + 1 }, delay };
}
