/**
 * Fault injection: a store that crashes at a chosen request, and one that fails at random with a seed.
 */
import { concat, ignoreElements, Observable, throwError } from 'rxjs';
import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { systemClock, type Clock } from '../../flow/index.js';
import { decorate, type StoreCall } from './decorate.js';
import { StoreError } from '../errors.js';
import type { ObjectStore } from '../objectStore.js';

/** A store that can die like the process that uses it. */
export interface MortalStore {
  readonly store: ObjectStore;
  /** Requests made while the store was alive. */
  readonly calls: number;
  readonly dead: boolean;
  /** From now on no request takes effect or is answered. */
  kill(): void;
}

/**
 * Crashes at the n-th request (from 1), `before` or `after` it takes effect. Neither it nor any request in flight is
 * answered, and later requests have no effect.
 */
export function crashAt(inner: ObjectStore, n: number, when: 'before' | 'after'): MortalStore {
  let calls = 0;
  let dead = false;
  const store = decorate(
    inner,
    (_, run) =>
      new Observable((out) => {
        if (dead) return;
        calls += 1;
        if (calls < n) {
          return run.subscribe({
            next: (answer) => {
              if (!dead) out.next(answer);
            },
            error: (error: unknown) => {
              if (!dead) out.error(error);
            },
            complete: () => {
              if (!dead) out.complete();
            },
          });
        }
        dead = true;
        if (when === 'before') return;
        // Not torn down with `out`: the request has already left the process.
        run.subscribe({ error: () => undefined });
        return;
      }),
  );
  return {
    store,
    get calls() {
      return calls;
    },
    get dead() {
      return dead;
    },
    kill: () => {
      dead = true;
    },
  };
}

/** The probability of each fault, 0 (the default) to 1. */
export interface FaultOptions {
  /** Uniform in [0, 1). A seeded one makes faults reproducible. */
  readonly random: () => number;
  /** `Unavailable`; the request had no effect. */
  readonly before?: number;
  /** `Unavailable`, but the request did take effect. */
  readonly after?: number;
  /** `Throttled`; the request had no effect. */
  readonly throttled?: number;
  /** The request is delayed by up to `delayUpTo` milliseconds. */
  readonly delayed?: number;
  /** Milliseconds. Default 1,000. */
  readonly delayUpTo?: number;
  readonly clock?: Clock;
  /** The requests that can fail. Default: all. */
  readonly only?: (call: StoreCall) => boolean;
}

const names: OptionNames<FaultOptions> = {
  random: true,
  before: true,
  after: true,
  throttled: true,
  delayed: true,
  delayUpTo: true,
  clock: true,
  only: true,
};

/** A store that fails at random. */
export function faulty(inner: ObjectStore, options: FaultOptions): ObjectStore {
  checkOptions('faulty', options, names);
  const {
    random,
    before = 0,
    after = 0,
    throttled = 0,
    delayUpTo = 1000,
    clock = systemClock,
    only = () => true,
  } = options;
  return decorate(
    inner,
    (call, run) =>
      new Observable((out) => {
        if (!only(call)) return run.subscribe(out);
        // Draw the same numbers for every request, so that one fault does not change the next ones.
        const fate = random();
        const late = random() < (options.delayed ?? 0) ? random() * delayUpTo : (random(), 0);
        const what = `${call.method} ${call.key}`;
        let outcome = run;
        if (fate < before)
          outcome = throwError(
            () => new StoreError('Unavailable', `Injected: ${what} failed before it took effect. Retry.`),
          );
        else if (fate < before + after) {
          outcome = concat(
            run.pipe(ignoreElements()),
            throwError(
              () => new StoreError('Unavailable', `Injected: the answer to ${what} was lost. Retry.`),
            ),
          );
        } else if (fate < before + after + throttled)
          outcome = throwError(
            () => new StoreError('Throttled', `Injected: ${what} was throttled. Slow down.`),
          );
        if (late === 0) return outcome.subscribe(out);
        return clock.after(late, () => {
          out.add(outcome.subscribe(out));
        });
      }),
  );
}
