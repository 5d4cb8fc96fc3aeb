/** How long to wait before something that failed is tried again. Milliseconds. */
export interface Backoff {
  /** The full wait after the first failure. */
  readonly first: number;
  /** No wait is longer. */
  readonly max: number;
  /** By what the full wait grows with each failure. Default 2. */
  readonly multiplier?: number;
  /** The wait is drawn uniformly between these shares of the full one. */
  readonly spread: readonly [least: number, most: number];
}

/** Jitter that lets many callers that failed together come back at different times. */
export const fullJitter = [0, 1] as const;
/** Jitter that still keeps half of the wait. */
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
