import { Observable, Subscription } from 'rxjs';
import type { Clock } from '../flow/index.js';

/** The result of a step: there is more work, all work is done, or an Observable to wait for before the next step. */
export type Step = 'more' | 'done' | Observable<unknown>;

/**
 * Runs `step` until it is done, and yields to the event loop before each call. A step is at most a few milliseconds
 * of work, or one request. Completes when done; unsubscribing stops it.
 */
export function sliced(clock: Clock, step: () => Step): Observable<never> {
  return new Observable((out) => {
    let current = Subscription.EMPTY;
    const next = (): void => {
      current = clock.yield(() => {
        let result: Step;
        try {
          result = step();
        } catch (error) {
          out.error(error);
          return;
        }
        if (result === 'done') out.complete();
        else if (result === 'more') next();
        else {
          // A store may answer synchronously: then `next` has already replaced `current`.
          const waiting = (current = new Subscription());
          waiting.add(result.subscribe({ error: (error: unknown) => out.error(error), complete: next }));
        }
      });
    };
    next();
    return () => {
      current.unsubscribe();
    };
  });
}
