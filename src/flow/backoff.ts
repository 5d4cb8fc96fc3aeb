/** How long to wait before each retry. Milliseconds. */
export interface Backoff {
  /** The full wait after the first failure. */
  readonly first: number;
  /** The longest wait. */
  readonly max: number;
  /** Growth of the full wait with each failure. Default 2. */
  readonly multiplier?: number;
  /** The wait is drawn uniformly between these fractions of the full wait. */
  readonly spread: readonly [least: number, most: number];
}

/** Spreads the retries of callers that failed together. */
export const fullJitter = [0, 1] as const;
/** Jitter of at most half of the wait. */
export const halfJitter = [0.5, 1] as const;

/**
 * The wait after failure number `failures` (1, 2, …) in a row: exponential, with jitter.
 *
 * @param random uniform in [0, 1)
 */
export function backoffDelay(
  { first, max, multiplier = 2, spread: [least, most] }: Backoff,
  failures: number,
  random: number,
): number {
  const full = Math.min(max, first * multiplier ** (failures - 1));
  return Math.min(max, full * (least + (most - least) * random));
}
