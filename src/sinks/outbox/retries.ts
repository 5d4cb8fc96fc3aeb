import { isRetryable, MillraceError } from '../../errors.js';
import { backoffDelay, halfJitter } from '../../flow/backoff.js';
import { PoisonBatch } from './errors.js';

/** How often a batch is tried. */
export interface RetrySettings {
  readonly tries: number;
  /** Milliseconds. */
  readonly initial: number;
  readonly max: number;
}

/** What follows after try number `tried` of a batch has failed: another one after `delay` milliseconds, or none. */
export type Verdict = { readonly delay: number } | 'poison' | 'end';

/**
 * | `publish` failed with | |
 * |---|---|
 * | a `PoisonBatch` | poison, immediately |
 * | a retryable `MillraceError` | tried again; after the last try the attempt ends, and the restart policy decides: what a target that is down has not taken is never poison |
 * | any other `MillraceError` | the attempt ends |
 * | an error of unknown kind | tried again; after the last try it is poison |
 *
 * @param random uniform in [0, 1)
 */
export function verdictOn(error: unknown, tried: number, settings: RetrySettings, random: number): Verdict {
  if (error instanceof PoisonBatch) return 'poison';
  const retryable = isRetryable(error);
  if (error instanceof MillraceError && !retryable) return 'end';
  if (tried >= settings.tries) return retryable ? 'end' : 'poison';
  const { initial: first, max } = settings;
  const delay = backoffDelay({ first, max, spread: halfJitter }, tried, random);
  return { delay: Math.max(delay, Math.min(max, retryAfterOf(error))) };
}

function retryAfterOf(error: unknown): number {
  const { retryAfter } = error as { readonly retryAfter?: unknown };
  return typeof retryAfter === 'number' && retryAfter > 0 ? retryAfter : 0;
}
