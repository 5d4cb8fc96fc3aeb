import { Subscription } from 'rxjs';
import { monotonic } from '../flow/index.js';
import { wakeAt } from './barriers.js';
import { step } from './checkpoints.js';
import type { CheckpointEffect, CheckpointInput, CheckpointState } from './checkpointState.js';
import type { ClaimOptions } from './contract.js';
import type { CheckpointEvent } from './events.js';
import { firstState } from './firstState.js';
import { LogRequests } from './logRequests.js';
import type { LogRequest } from './logState.js';
import { scopeOf } from './trust.js';

export interface CheckpointDriverOptions extends ClaimOptions {
  /** Bytes of each source before the newest barrier that are still in flight. */
  readonly buffered: () => Readonly<Record<string, number>>;
  /** Carries out an effect that is neither a request nor an event. */
  readonly run: (effect: Exclude<CheckpointEffect, LogRequest | { readonly type: 'report' }>) => void;
  /** All effects so far have been carried out. */
  readonly idle: () => void;
  /** The step threw, such as `GarbageReferenced`, or carrying out an effect did. */
  readonly broken: (error: unknown) => void;
}

/**
 * Runs `checkpoints.ts` against a store and a clock: each input is a step, and its effects are carried out in order.
 */
export class CheckpointDriver {
  readonly #options: CheckpointDriverOptions;
  readonly #requests: LogRequests;
  #state: CheckpointState;
  #effects: CheckpointEffect[] = [];
  #busy = false;
  #timer = Subscription.EMPTY;
  #timerAt: number | undefined;
  /** Set when a failed deletion was reported, until one succeeds. */
  #refused = false;
  #closed = false;

  constructor(options: CheckpointDriverOptions) {
    this.#options = options;
    this.#state = firstState(options);
    const { store, logStore = store, prefix, clock, random } = options;
    this.#requests = new LogRequests({
      store,
      logStore,
      prefix,
      clock,
      random,
      scope: scopeOf(options),
      from: options.from,
      answered: (answer) => {
        this.send({ type: 'answered', answer });
      },
      repeated: (error) => options.repeated?.(error),
      inDoubt: (n, tries, error) => {
        this.#report({ type: 'manifest-in-doubt', n, tries, error });
      },
      deleted: (keys, failed, error) => {
        this.#report({ type: 'garbage-deleted', keys, failed });
        if (failed > 0 && !this.#refused) this.#report({ type: 'deletion-refused', names: failed, error });
        this.#refused = failed > 0;
      },
    });
  }

  get state(): CheckpointState {
    return this.#state;
  }

  /**
   * Makes a step, then carries out its effects. If an effect causes another step, the effects of that step come after
   * them.
   */
  send(event: CheckpointInput): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    try {
      const { state, effects } = step(this.#state, event, { now: clock.now(), monotonic: monotonic(clock) });
      this.#state = state;
      this.#effects.push(...effects);
      this.#carryOut();
    } catch (error) {
      this.#options.broken(error);
    }
    this.#wake();
  }

  /** Has the effect of a crash: a PUT in flight continues, everything else is dropped. */
  close(): void {
    this.#closed = true;
    this.#effects = [];
    this.#requests.close();
    this.#timer.unsubscribe();
  }

  #carryOut(): void {
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#effects.shift(); next !== undefined; next = this.#effects.shift())
        this.#run(next);
    } finally {
      this.#busy = false;
    }
    this.#options.idle();
  }

  #run(effect: CheckpointEffect): void {
    switch (effect.type) {
      case 'list':
      case 'get':
      case 'put':
      case 'delete':
      case 'adopt':
        this.#requests.send(effect, this.#state.log);
        return;
      case 'report': {
        const { event } = effect;
        const { bytes } = this.#requests;
        this.#report(event.type === 'checkpoint-durable' ? { ...event, bytes } : event);
        return;
      }
      default:
        this.#options.run(effect);
    }
  }

  /** Sets the timer for the next step that is due. */
  #wake(): void {
    const at = this.#closed ? undefined : wakeAt(this.#state);
    if (at === this.#timerAt) return;
    this.#timer.unsubscribe();
    this.#timerAt = at;
    if (at === undefined) return;
    const { clock, buffered } = this.#options;
    this.#timer = clock.after(Math.max(0, at - monotonic(clock)), () => {
      this.#timerAt = undefined;
      this.send({ type: 'tick', buffered: buffered() });
    });
  }

  #report(event: CheckpointEvent): void {
    if (!this.#closed) this.#options.on?.(event);
  }
}
