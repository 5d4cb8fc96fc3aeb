import { Observable } from 'rxjs';
import type { Clock } from './clock.js';

/** Completes after `delay` milliseconds. */
export function pause(clock: Clock, delay: number): Observable<never> {
  return new Observable((out) => clock.after(delay, () => out.complete()));
}
