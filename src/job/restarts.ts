import { Observable, Subscription } from 'rxjs';
import { neverDurable } from '../checkpoint/index.js';
import { isRetryable, MillraceError } from '../errors.js';
import { monotonic, type Clock } from '../flow/index.js';
import type { Outcome } from './attempt.js';
import type { JobEvent } from './events.js';
import { AttemptFailure, type FailurePlace } from './failure.js';
import {
  freshRestarts,
  nextRestart,
  type FailedAttempt,
  type RestartPolicy,
  type RestartState,
} from './restartPolicy.js';

/**
 * Makes attempts one after another, until one finishes, is stopped, or fails with an error that is not `retryable`
 * (bad data, a user's callback, `Fenced`), or until the policy's limits are reached. A stop while waiting for the
 * next attempt ends the job immediately: records after the newest checkpoint are left to the next run.
 */
export function withRestarts(life: {
  readonly name: string;
  /** Emits the outcome once. Calls `durable` when a checkpoint is durable. */
  readonly attempt: (durable: () => void) => Observable<Outcome>;
  readonly restart: RestartPolicy;
  readonly clock: Clock;
  readonly random: () => number;
  readonly stop: Observable<unknown>;
  readonly emit: (event: JobEvent) => void;
}): Observable<Outcome> {
  const { name: job, clock, emit } = life;
  return new Observable<Outcome>((outcome) => {
    let restarts: RestartState = freshRestarts;
    let count = 0;
    const current = new Subscription();
    outcome.add(current);
    const attempt = (): void => {
      let durable = false;
      const started = monotonic(clock);
      emit({ type: 'attempt-started', job, attempt: ++count });
      current.add(
        life
          .attempt(() => (durable = true))
          .subscribe({
            next: (result) => {
              emit({ type: result, job });
              outcome.next(result);
              outcome.complete();
            },
            error: (failure: unknown) => {
              const { error, place } =
                failure instanceof AttemptFailure ? failure : new AttemptFailure(failure, {});
              again(error, place, { ranMs: monotonic(clock) - started, durable, timedOut: isTimeout(error) });
            },
          }),
      );
    };

    const giveUp = (error: unknown, place: FailurePlace): void => {
      emit({ type: 'failed', job, error, ...place });
      outcome.error(error);
    };

    const again = (error: unknown, place: FailurePlace, failed: FailedAttempt): void => {
      if (!isRetryable(error)) {
        giveUp(error, place);
        return;
      }
      const { state, next } = nextRestart(life.restart, restarts, failed, life.random());
      if (typeof next === 'string') {
        giveUp(next === 'checkpointTimeouts' ? neverDurable(state.timeouts, error) : error, place);
        return;
      }
      restarts = state;
      emit({ type: 'restarting', job, delayMs: next, error, ...place });
      const backoff = new Subscription();
      current.add(backoff);
      backoff.add(
        clock.after(next, () => {
          backoff.unsubscribe();
          attempt();
        }),
      );
      backoff.add(
        life.stop.subscribe(() => {
          backoff.unsubscribe();
          emit({ type: 'stopped', job });
          outcome.next('stopped');
          outcome.complete();
        }),
      );
    };

    attempt();
  });
}

const isTimeout = (error: unknown): boolean =>
  error instanceof MillraceError && error.code === 'CheckpointFailed';
