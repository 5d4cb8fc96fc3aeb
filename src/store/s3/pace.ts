/**
 * The request rate of one bucket. A server that responds 503 SlowDown (or 429) wants fewer requests, not the same ones later,
 * so the rate is lowered, and raised again while the server does not throttle: additive increase, multiplicative decrease,
 * as in TCP, on a token bucket.
 *
 * 1. At first the rate is not limited, only measured.
 * 2. A throttled response cuts the rate to half of the measured one, but not below one request per second. Responses to
 *    requests that started before the cut do not cut again. `Retry-After` delays all requests.
 * 3. Other responses raise the rate over time, each second by an eighth of the rate at the cut (at least 5 requests per
 *    second).
 * 4. At twice the rate of the cut the limit is removed.
 *
 * Pure: a state, three events, and the time to wait. Times are milliseconds.
 */
export interface Pace {
  /** Requests per second that may start; `Infinity`: no limit. */
  readonly rate: number;
  /** Requests per second when the server last throttled. */
  readonly peak: number;
  /** Tokens in the bucket at time `at`. */
  readonly tokens: number;
  readonly at: number;
  /** No request starts earlier. */
  readonly heldUntil: number;
  readonly cutAt: number;
  /** When `rate` was last raised. */
  readonly grownAt: number;
  /** Recent starts at time `countedAt`: each counts 1, decaying by a factor of e every 250 ms. */
  readonly load: number;
  readonly countedAt: number;
}

/** Lower bound of the rate. Requests per second. */
export const leastRate = 1;
const cut = 0.5;
const leastIncrease = 5;
/** Seconds of tokens that the bucket holds: finer pacing exceeds the resolution of timers. */
const piece = 0.02;
const memory = 250;

export const freePace: Pace = {
  rate: Infinity,
  peak: Infinity,
  tokens: 0,
  at: -Infinity,
  heldUntil: -Infinity,
  cutAt: -Infinity,
  grownAt: -Infinity,
  load: 0,
  countedAt: -Infinity,
};

/** Milliseconds until the next request may start. */
export function waitOf(pace: Pace, now: number): number {
  const held = Math.max(0, pace.heldUntil - now);
  if (pace.rate === Infinity) return held;
  const missing = 1 - filled(pace, now);
  return Math.max(held, missing <= 1e-9 ? 0 : (missing / pace.rate) * 1000);
}

/** A request starts. {@link waitOf} must be 0. */
export function started(pace: Pace, now: number): Pace {
  const counted = { ...pace, load: loadOf(pace, now) + 1, countedAt: now };
  return pace.rate === Infinity ? counted : { ...counted, tokens: filled(pace, now) - 1, at: now };
}

/** A request that started at `since` got a response that does not throttle. */
export function answered(pace: Pace, now: number, since: number): Pace {
  if (pace.rate === Infinity || since < pace.cutAt) return pace;
  // After an idle time, one response raises the rate by at most a second of growth.
  const grown = Math.min(Math.max(0, now - pace.grownAt), 1000) / 1000;
  const rate = pace.rate + grown * Math.max(leastIncrease, pace.peak / 8);
  if (rate >= 2 * pace.peak)
    return { ...freePace, load: pace.load, countedAt: pace.countedAt, heldUntil: pace.heldUntil };
  return { ...pace, tokens: filled(pace, now), at: now, rate, grownAt: now };
}

/** The server throttled a request that started at `since`, and allows none for `retryAfter` ms. */
export function throttled(pace: Pace, now: number, since: number, retryAfter = 0): Pace {
  const held = { ...pace, heldUntil: Math.max(pace.heldUntil, now + retryAfter) };
  if (since < pace.cutAt) return held;
  const peak = Math.max(leastRate, Math.min(pace.rate, loadOf(pace, now) / (memory / 1000)));
  const rate = Math.max(leastRate, peak * cut);
  return { ...held, rate, peak, tokens: 0, at: now, cutAt: now, grownAt: now };
}

function filled(pace: Pace, now: number): number {
  const since = Math.max(0, now - pace.at) / 1000;
  return Math.min(Math.max(1, pace.rate * piece), pace.tokens + since * pace.rate);
}

function loadOf(pace: Pace, now: number): number {
  return pace.load === 0 ? 0 : pace.load * Math.exp(-Math.max(0, now - pace.countedAt) / memory);
}
