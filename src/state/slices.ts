import { Observable, Subscription } from 'rxjs';
import { monotonic, type Clock } from '../flow/index.js';

/** The result of a step: there is more work, all work is done, or an Observable to wait for before the next step. */
export type Step = 'more' | 'done' | Observable<unknown>;

/** How long a turn may take before it yields: at first as long as one of a source. Milliseconds. */
const turnMillis = 2;
/**
 * Most steps in a turn, so that it ends on a clock that stands still, too. Few at first, because warm code takes a small part of
 * the time, and the rest is for records.
 */
const stepsPerTurn = 4;
/** Work that takes long gets longer turns, or records would make more of it than is done. */
const longMillis = 250;
const mostTimes = 4;

/**
 * Runs `step` until it is done, in turns of the event loop. A turn has a few steps, or less where code is cold or the machine
 * busy: it exceeds its time by at most one step, which is a fraction of a millisecond of warm code, or one request.
 * Completes when done; unsubscribing stops it.
 */
export function sliced(clock: Clock, step: () => Step): Observable<never> {
  return new Observable((out) => {
    let current = Subscription.EMPTY;
    const began = monotonic(clock);
    const next = (): void => {
      current = clock.yield(() => {
        let result: Step;
        try {
          result = turn(
            clock,
            step,
            Math.min(mostTimes, 1 + Math.floor((monotonic(clock) - began) / longMillis)),
          );
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

/** Runs steps until the time of a turn is used up, which is `times` the usual one. */
function turn(clock: Clock, step: () => Step, times: number): Step {
  const start = monotonic(clock);
  let result = step();
  for (let steps = 1; result === 'more' && steps < stepsPerTurn * times; steps++) {
    if (monotonic(clock) - start >= turnMillis * times) break;
    result = step();
  }
  return result;
}
