import type { Subscriber } from 'rxjs';
import { MillraceError } from '../../errors.js';
import { configOf } from '../../config/service.js';
import { InvalidOption } from '../../config/units.js';
import {
  FlowSubscriber,
  isLast,
  memory,
  Outflow,
  type Barrier,
  type Clock,
  type Credit,
  type End,
  type MemoryCharge,
  type Open,
  type Signal,
  type Watermark,
} from '../../flow/index.js';
import { deferredInFlow, isDeferred } from '../../flow/deferred.js';
import {
  allKeyGroups,
  isSameRange,
  maxStates,
  notWhole,
  ownKeyGroups,
  StateBackend,
  StateError,
  keyUses,
  storedKey,
  type Handles,
  type Key,
  type StateSpec,
  type StateSpecs,
} from '../../state/index.js';
import { checkpointData } from '../../store/services.js';
import { ClockTimers } from './clockTimers.js';
import { DueTimers, type Timer } from './dueTimers.js';

/** The memory charge is rounded down to a multiple of this, so that it rarely changes. */
const countedBytes = 1024 * 1024;

/** Options of a {@link KeyedOperator}. */
export interface KeyedOperatorOptions<S extends StateSpecs> {
  /** The operator's name in errors, such as `keyed`. */
  readonly name: string;
  /** Names the state in checkpoints. */
  readonly id: string;
  /** The states, by name. Names are part of checkpoints. */
  readonly state: S;
  /** Names of states that checkpoints may have and `state` no longer has: what they hold is dropped. Default none. */
  readonly allowDropped?: readonly string[] | undefined;
  /** Whether to reject a value that cannot be stored when it is set, never later. Default `false`. */
  readonly early?: boolean;
  /**
   * The operator has one state for all records. A job with a part of the key groups would have a part of the records:
   * `KeyOutsideRange` on start. Default `false`.
   */
  readonly whole?: boolean;
}

/**
 * The base class of `keyed` and other operators with state per key. It holds `Open` until the state is restored. At a
 * barrier it freezes the state and passes the barrier on; the ack follows when the frozen state is stored.
 *
 * A subclass implements `onRecord`, which works on each key in a **turn**: {@link enter} the key, use {@link states},
 * emit, and {@link leave}. If it has states with timers, it implements `onTimer`, which runs in the turn of the timer's
 * key.
 *
 * @example
 * ```ts
 * const state = { count: valueState(0) };
 *
 * // Each word, with its number of occurrences so far.
 * class Counting extends KeyedOperator<string, string, typeof state> {
 *   override onRecord(word: string): void {
 *     this.enter(word);
 *     this.emit(`${word} ${this.states.count.update((n) => n + 1)}`);
 *     this.leave();
 *   }
 * }
 *
 * const counting = (id: string) =>
 *   flowOperator<string, string>((out) => new Counting(out, { name: 'counting', id, state }));
 * ```
 *
 * Errors: `DuplicateId`, `StateSchemaMismatch`, `SegmentCorrupt`, `SegmentMissing`, `SegmentTooNew`, `NotOpened`.
 */
export abstract class KeyedOperator<A, B, S extends StateSpecs> extends FlowSubscriber<A, B> {
  protected readonly id: string;
  readonly #options: KeyedOperatorOptions<S>;
  #backend!: StateBackend;
  #memory!: MemoryCharge;
  #eventTimers!: DueTimers;
  #clockTimers!: ClockTimers;
  #outflow!: Outflow;
  /** Processing timers that are due wait for terminals. */
  #dueWait = false;
  /** Undefined while restoring. */
  #states: Handles<S> | undefined;

  constructor(out: Subscriber<B | Signal>, options: KeyedOperatorOptions<S>) {
    super(out);
    this.id = options.id;
    this.#options = options;
  }

  protected override get label(): string {
    return this.id;
  }

  /** The handles, for the current key. The same objects for every key. */
  protected get states(): Handles<S> {
    if (this.#states === undefined) throw restoring(this.#options);
    return this.#states;
  }

  /** Begins the turn of a key. Errors: `UnsupportedKey`, `PromiseInFlow`, `ObservableInFlow`. */
  protected enter(key: Key): void {
    this.#backend.at(typeof key === 'string' || typeof key === 'number' ? key : this.#stored(key));
  }

  /** Ends the turn: using the handles throws. */
  protected leave(): void {
    this.#backend.leave();
    this.#clockTimers.schedule();
  }

  /** Handles a timer that is due, in the turn of its key. */
  protected onTimer?(timer: Timer): void;

  /** Logs changes of states, so that {@link undo} can revert them until {@link forget}. */
  protected remember(): void {
    this.#backend.remember();
  }

  protected undo(): void {
    this.#backend.undo();
  }

  /** Keeps the changes since {@link remember}. */
  protected forget(): void {
    this.#backend.forget();
  }

  override onOpen(open: Open): void {
    const { id, state, allowDropped, early = false, whole = false } = this.#options;
    const { attempt } = open;
    const keyGroups = attempt.use(ownKeyGroups);
    if (whole && !isSameRange(keyGroups, allKeyGroups)) throw notWhole(id, keyGroups);
    attempt.register({ id, kind: 'operator' });
    const backend = (this.#backend = new StateBackend({
      operator: id,
      states: state,
      allowDropped,
      data: attempt.use(checkpointData),
      clock: attempt.clock,
      random: attempt.random,
      early,
      keyGroups,
      files: configOf(attempt).state,
      report: (event) => {
        attempt.report(event);
      },
    }));
    const charge = (this.#memory = attempt.use(memory).charge());
    this.add(() => {
      backend.close();
      charge.leave();
    });
    this.#eventTimers = new DueTimers(backend.timers, 'event');
    this.#clockTimers = new ClockTimers(new DueTimers(backend.timers, 'processing'), attempt.clock, () => {
      this.turn(() => {
        this.#fireDue(attempt.clock);
      });
    });
    this.add(this.#clockTimers);
    this.#outflow = new Outflow(id, attempt);
    this.add(this.#outflow);
    const ready = (): void => {
      this.#count();
      this.#states = backend.handles as Handles<S>;
      this.emit(this.#outflow.passed(open));
      attempt.running(() => {
        this.#clockTimers.start();
      });
    };
    const snapshot = attempt.restored(id)?.snapshot;
    if (snapshot === undefined) {
      ready();
      return;
    }
    this.request(backend.restore([snapshot]), { complete: ready });
  }

  /** After about every 64 KiB of input. */
  override onCredit(credit: Credit): void {
    this.#count();
    this.emit(credit);
  }

  /** Event timers up to the watermark fire before it is passed on. */
  override onWatermark(watermark: Watermark): void {
    this.#advance(watermark.time, () => {
      this.emit(watermark);
    });
  }

  /** Event time advances to the latest timer that is set. Those that are then set for later stay set. */
  override onEnd(end: End): void {
    this.#advance(this.#eventTimers.last, () => {
      this.emit(end);
    });
  }

  override onBarrier(barrier: Barrier): void {
    if (isLast(barrier.reason)) this.#clockTimers.unsubscribe();
    const frozen = this.#backend.freeze(isLast(barrier.reason));
    this.emit(barrier);
    this.request(frozen, (part) => {
      this.#count();
      barrier.ack(this.id, part);
    });
  }

  /**
   * Emits records that no single record causes: calls `step`, which works on one key, until it returns `false`, then `done`. If that takes
   * more than a few milliseconds, it continues in later turns of the event loop, as terminals have room; the input is
   * held meanwhile.
   */
  protected inSlices(step: () => boolean, done: () => void): void {
    if (this.#outflow.free && this.#outflow.slice(step)) {
      done();
      return;
    }
    const release = this.holdInput();
    const slice = (): void => {
      if (this.#outflow.slice(step)) {
        done();
        release();
      } else later();
    };
    const later = (): void => {
      this.emit(this.#outflow.credit());
      this.#outflow.next(() => {
        this.turn(slice);
      });
    };
    later();
  }

  #advance(time: number, done: () => void): void {
    const now = (this.#backend.eventTime = Math.max(time, this.#backend.eventTime));
    if (this.#eventTimers.next <= now) this.inSlices(() => this.#fire(this.#eventTimers, now), done);
    else done();
  }

  /** Processing timers fire in slices, too. Those that have not fired are state, so nothing need be held. */
  #fireDue(clock: Clock): void {
    if (this.#dueWait || !this.#clockTimers.active) return;
    if (!this.#outflow.free) {
      this.#dueWait = true;
      this.#outflow.next(() => {
        this.#dueWait = false;
        this.turn(() => {
          this.#fireDue(clock);
        });
      });
      return;
    }
    if (!this.#outflow.slice(() => this.#fire(this.#clockTimers.due, clock.now())))
      this.emit(this.#outflow.credit());
    this.#clockTimers.schedule();
  }

  /** Fires a timer, if one is due. */
  #fire(timers: DueTimers, now: number): boolean {
    const due = timers.take(now);
    if (due === undefined) return false;
    this.#backend.at(due.key);
    this.onTimer?.(due.timer);
    this.leave();
    return true;
  }

  #count(): void {
    this.#memory.set(Math.floor(this.#backend.bytes / countedBytes) * countedBytes);
  }

  #stored(key: Key): ReturnType<typeof storedKey> {
    const { name, id } = this.#options;
    if (isDeferred(key)) throw deferredInFlow(`key of ${name}('${id}') returned`, key);
    return storedKey(key, keyUses.record, { operator: id });
  }
}

const restoring = ({ name, id }: Pick<KeyedOperatorOptions<StateSpecs>, 'name' | 'id'>): MillraceError =>
  new MillraceError(
    'NotOpened',
    `A record reached ${name} '${id}' before its state was restored: only job.run(…) sends records, after every operator has passed Open on.`,
  );

/**
 * Checks that these are states, by name, as callers may be JavaScript. Errors: `InvalidState`.
 *
 * @param what the operator, such as `keyed('per-user', …)`
 */
export function checkStates(what: string, state: unknown): asserts state is StateSpecs {
  const specs = typeof state === 'object' && state !== null ? Object.entries(state) : [];
  if (specs.length === 0 || specs.length > maxStates) {
    throw new StateError('InvalidState', `${what} needs \`state\` with 1 to ${maxStates} named states.`);
  }
  const renamed = new Map<string, string>();
  for (const [name, spec] of specs) {
    if (typeof (spec as { open?: unknown } | null)?.open !== 'function') {
      throw new StateError(
        'InvalidState',
        `State ${name} of ${what} is not a state: use valueState(…) or another kind.`,
      );
    }
    const { formerly } = spec as StateSpec<unknown>;
    if (formerly === undefined) continue;
    if (Object.hasOwn(state as object, formerly) || renamed.has(formerly)) {
      throw new StateError(
        'InvalidState',
        `State ${name} of ${what} was formerly ${formerly}, and so is state ${renamed.get(formerly) ?? formerly}. Only one of them can have what is stored under that name: rename one, and the other in a later release.`,
      );
    }
    renamed.set(formerly, name);
  }
}

/** Checks the option `allowDropped`. Errors: `InvalidOption`. */
export function checkDropped(key: string, names: unknown, state: StateSpecs): void {
  if (names === undefined) return;
  const isDropped = (name: unknown): boolean => typeof name === 'string' && !Object.hasOwn(state, name);
  if (!Array.isArray(names) || !names.every(isDropped))
    throw new InvalidOption(key, names, 'an array with names of states that are no longer declared');
}
