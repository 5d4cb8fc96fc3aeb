import { isRetryable, MillraceError } from '../../errors.js';
import { backoffDelay, halfJitter } from '../../flow/backoff.js';
import { PoisonBatch } from './errors.js';

/** How often a batch is tried. */
export interface RetrySettings {
  /** Those with errors of unknown kind, until the batch is poison. */
  readonly tries: number;
  /** Milliseconds. */
  readonly initial: number;
  readonly max: number;
}

/** What follows after a try of a batch has failed: another one after `delay` milliseconds, or none. */
export type Verdict = { readonly delay: number } | 'poison' | 'end';

/** How often a batch has failed: in all, and with errors of unknown kind. */
export interface Failures {
  readonly all: number;
  readonly unknown: number;
}

/**
 * | `publish` failed with | |
 * |---|---|
 * | a `PoisonBatch` | poison, immediately |
 * | a retryable `MillraceError` | tried again until the target takes it: a restart of the job would not help, and other sinks continue. What a target that is down has not taken is never poison |
 * | any other `MillraceError` | the attempt ends |
 * | an error of unknown kind | tried again; after the last try it is poison |
 *
 * @param patient `false` after the last barrier: nothing else is left to do, so after the last try the attempt ends, and the restart
 *   policy decides
 * @param random uniform in [0, 1)
 */
export function verdictOn(
  error: unknown,
  failures: Failures,
  { tries, initial: first, max }: RetrySettings,
  patient: boolean,
  random: number,
): Verdict {
  if (error instanceof PoisonBatch) return 'poison';
  const retryable = isRetryable(error);
  if (error instanceof MillraceError && !retryable) return 'end';
  if (!retryable && failures.unknown >= tries) return 'poison';
  if (retryable && !patient && failures.all >= tries) return 'end';
  const delay = backoffDelay({ first, max, spread: halfJitter }, failures.all, random);
  return { delay: Math.max(delay, Math.min(max, retryAfterOf(error))) };
}

function retryAfterOf(error: unknown): number {
  const { retryAfter } = (error ?? {}) as { readonly retryAfter?: unknown };
  return typeof retryAfter === 'number' && retryAfter > 0 ? retryAfter : 0;
}
