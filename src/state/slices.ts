import { Observable, Subscription } from 'rxjs';
import type { Clock } from '../flow/index.js';

/** What a step says: a slice of work is done and there is more; wait for this first; or all is done. */
export type Step = 'more' | 'done' | Observable<unknown>;

/**
 * Runs `step` until it is done, and lets the event loop turn before each: a step is at most a few milliseconds
 * of work or the wait for one request. Completes when done; unsubscribing stops it where it is.
 */
export function sliced(clock: Clock, step: () => Step): Observable<never> {
  return new Observable((out) => {
    let current = Subscription.EMPTY;
    const next = (): void => {
      current = clock.yield(() => {
        let said: Step;
        try {
          said = step();
        } catch (error) {
          out.error(error);
          return;
        }
        if (said === 'done') out.complete();
        else if (said === 'more') next();
        else {
          // A store may answer at once: then `next` has already replaced `current`.
          const waiting = (current = new Subscription());
          waiting.add(said.subscribe({ error: (error: unknown) => out.error(error), complete: next }));
        }
      });
    };
    next();
    return () => {
      current.unsubscribe();
    };
  });
}
