/**
 * How fast requests to one bucket may start. A server that answers 503 SlowDown (or 429) wants fewer requests, not the
 * same ones later: so the rate itself falls, and rises again when the server is content. Additive increase,
 * multiplicative decrease, as TCP has it, on a token bucket:
 *
 * 1. At first nothing is limited; what is sent is only measured.
 * 2. A throttled answer cuts the rate to half of what was really sent, never below one request a second. Answers to
 *    requests that had started before the cut do not cut again. `Retry-After` holds all requests back.
 * 3. Answers that are not throttled raise the rate with the time that passes, by an eighth of the rate at the cut (and at
 *    least 5 requests a second) each second.
 * 4. At twice the rate of the cut the limit is gone.
 *
 * Pure: a state, three events that give the next one, and the question how long to wait. Times are milliseconds.
 */
export interface Pace {
  /** Requests a second that may start; `Infinity`: as many as come. */
  readonly rate: number;
  /** Requests a second when the server last complained. */
  readonly peak: number;
  /** Starts that are allowed at once, as of `at`. */
  readonly tokens: number;
  readonly at: number;
  /** Nothing starts before. */
  readonly heldUntil: number;
  readonly cutAt: number;
  /** Until when `rate` has grown. */
  readonly grownAt: number;
  /** Starts of late: each counts 1, less by a factor of e each quarter of a second. As of `countedAt`. */
  readonly load: number;
  readonly countedAt: number;
}

/** The rate is never below. Requests a second. */
export const leastRate = 1;
const cut = 0.5;
const leastIncrease = 5;
/** A rate is spread out to pieces of so many seconds: finer than timers are makes no sense. */
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

/** Milliseconds until the next request may start; 0: now. */
export function waitOf(pace: Pace, now: number): number {
  const held = Math.max(0, pace.heldUntil - now);
  if (pace.rate === Infinity) return held;
  const missing = 1 - filled(pace, now);
  return Math.max(held, missing <= 1e-9 ? 0 : (missing / pace.rate) * 1000);
}

/** A request starts: only where {@link waitOf} is 0. */
export function started(pace: Pace, now: number): Pace {
  const counted = { ...pace, load: loadOf(pace, now) + 1, countedAt: now };
  return pace.rate === Infinity ? counted : { ...counted, tokens: filled(pace, now) - 1, at: now };
}

/** A request that started at `since` was answered as it should be, or failed for reasons of its own. */
export function answered(pace: Pace, now: number, since: number): Pace {
  if (pace.rate === Infinity || since < pace.cutAt) return pace;
  // After a rest the rate is as old as the rest: a second of growth is all that one answer vouches for.
  const grown = Math.min(Math.max(0, now - pace.grownAt), 1000) / 1000;
  const rate = pace.rate + grown * Math.max(leastIncrease, pace.peak / 8);
  if (rate >= 2 * pace.peak)
    return { ...freePace, load: pace.load, countedAt: pace.countedAt, heldUntil: pace.heldUntil };
  return { ...pace, tokens: filled(pace, now), at: now, rate, grownAt: now };
}

/** The server asked for fewer requests, in answer to one that started at `since`; perhaps for none for `retryAfter` ms. */
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
