import { types } from 'node:util';
import type { Subscriber, Subscription } from 'rxjs';
import { checkId } from '../config/checkId.js';
import { checkFunction, checkOptions, required, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption, parseDuration, type Duration } from '../config/units.js';
import { MillraceError } from '../errors.js';
import {
  flowOperator,
  FlowSubscriber,
  isLast,
  monotonic,
  watermark,
  type Barrier,
  type Clock,
  type End,
  type FlowOperator,
  type Json,
  type Open,
  type Signal,
} from '../flow/index.js';
import { deferredInFlow, isDeferred } from '../flow/deferred.js';
import { typeName } from '../formats/typeName.js';
import { fields, optional, oneOf } from '../shape.js';
import { StateError } from '../state/index.js';

/** Options of {@link watermarks}. */
export interface WatermarkOptions<A> {
  /** The event time of a record: a date, or milliseconds since the epoch. */
  readonly timestamp: (record: A) => number | Date;
  /** How much earlier than a record before it a record may be. Default 0. */
  readonly outOfOrder?: Duration;
  /**
   * The input is idle when no record has come for this long: merges then do not wait for its event time. A source that is
   * held up by slow operators after it also counts as idle, so this should be longer than such delays. Default: it is
   * never idle.
   */
  readonly idle?: Duration;
}

/** The options with durations in milliseconds. */
interface Settings<A> {
  readonly id: string;
  readonly timestamp: (record: A) => number | Date;
  readonly outOfOrder: number;
  readonly idle: number | undefined;
}

class Watermarks<A> extends FlowSubscriber<A, A> {
  readonly #settings: Settings<A>;
  #time = -Infinity;
  #idle = false;
  #silence: Silence | undefined;

  constructor(out: Subscriber<A | Signal>, settings: Settings<A>) {
    super(out);
    this.#settings = settings;
  }

  protected override get label(): string {
    return this.#settings.id;
  }

  override onOpen(open: Open): void {
    const { id, idle } = this.#settings;
    const { attempt } = open;
    attempt.register({ id, kind: 'operator' });
    const snapshot = attempt.restored(id)?.snapshot;
    if (snapshot !== undefined) ({ time: this.#time, idle: this.#idle } = restored(id, snapshot));
    if (idle !== undefined)
      this.#silence = new Silence(attempt.clock, idle, () => {
        this.turn(() => {
          this.#becomeIdle();
        });
      });
    this.emit(open);
    const known = this.#time > -Infinity || this.#idle;
    // Until then, no records come, and operators downstream may hold Open until their state is restored.
    attempt.running(() => {
      this.turn(() => {
        if (!this.#idle) this.#silence?.begin();
        if (known) this.#announce();
      });
    });
  }

  override onRecord(record: A): void {
    const { outOfOrder } = this.#settings;
    const time = this.#timeOf(record) - outOfOrder;
    this.#silence?.begin();
    this.emit(record);
    if (time <= this.#time && !this.#idle) return;
    this.#time = Math.max(time, this.#time);
    this.#idle = false;
    this.#announce();
  }

  override onWatermark(): void {
    // Replaced by its own.
  }

  override onBarrier(barrier: Barrier): void {
    if (isLast(barrier.reason)) this.#silence?.stop();
    const time = Number.isFinite(this.#time) ? { time: this.#time } : {};
    const snapshot = { kind, version, ...time, idle: this.#idle };
    this.emit(barrier);
    barrier.ack(this.#settings.id, { snapshot });
  }

  override onEnd(end: End): void {
    this.#silence?.stop();
    this.emit(end);
  }

  override onTeardown(): void {
    this.#silence?.stop();
  }

  #becomeIdle(): void {
    this.#idle = true;
    this.#announce();
  }

  #announce(): void {
    this.emit(watermark(this.#time, this.#idle));
  }

  /** In whole milliseconds, so that there is at most one watermark per millisecond of event time. */
  #timeOf(record: A): number {
    const { id, timestamp } = this.#settings;
    const given: unknown = timestamp(record);
    const time = types.isDate(given) ? given.getTime() : given;
    if (typeof time === 'number' && Number.isFinite(time)) return Math.floor(time);
    throw isDeferred(given)
      ? deferredInFlow(`timestamp of watermarks('${id}') returned`, given)
      : badTimestamp(id, given);
  }
}

/** Calls back once nothing has come for a while. One timer at a time, whatever comes. */
class Silence {
  readonly #clock: Clock;
  readonly #length: number;
  readonly #reached: () => void;
  #since = 0;
  #timer: Subscription | undefined;

  constructor(clock: Clock, length: number, reached: () => void) {
    this.#clock = clock;
    this.#length = length;
    this.#reached = reached;
  }

  /** It begins now, or anew. */
  begin(): void {
    this.#since = monotonic(this.#clock);
    if (this.#timer === undefined) this.#wait(this.#length);
  }

  stop(): void {
    this.#timer?.unsubscribe();
    this.#timer = undefined;
  }

  #wait(left: number): void {
    this.#timer = this.#clock.after(left, () => {
      this.#timer = undefined;
      const still = this.#since + this.#length - monotonic(this.#clock);
      if (still > 0) this.#wait(still);
      else this.#reached();
    });
  }
}

const kind = 'watermarks';
const version = 1;

const isSnapshot = fields({
  kind: oneOf(kind),
  version: (value) => value === version,
  time: optional(Number.isFinite),
  idle: (value) => typeof value === 'boolean',
});

/** Errors: `StateSchemaMismatch`. */
function restored(id: string, snapshot: Json): { readonly time: number; readonly idle: boolean } {
  if (!isSnapshot(snapshot))
    throw new StateError(
      'StateSchemaMismatch',
      `The checkpoint's part of watermarks('${id}') is not an event time that this millrace can read. Was another kind of operator under this id, or a later version at work? Give a new operator a new id.`,
    );
  const { time = -Infinity, idle } = snapshot as unknown as {
    readonly time?: number;
    readonly idle: boolean;
  };
  return { time, idle };
}

/**
 * The event time of a flow that replaces several: that of the input that is behind, as where flows are merged. Idle ones are left out, unless
 * all are. `undefined` if these are not snapshots of {@link watermarks}.
 */
export function mergedWatermarks(snapshots: readonly (Json | undefined)[]): Json | undefined {
  if (!snapshots.every((each) => isSnapshot(each))) return undefined;
  const all = snapshots as readonly { readonly time?: number; readonly idle: boolean }[];
  const active = all.filter(({ idle }) => !idle);
  const idle = active.length === 0;
  const times = (idle ? all : active).map(({ time = -Infinity }) => time);
  const time = idle ? Math.max(...times) : Math.min(...times);
  return { kind, version, ...(Number.isFinite(time) ? { time } : {}), idle };
}

const badTimestamp = (id: string, given: unknown): MillraceError =>
  new MillraceError(
    'BadTimestamp',
    `timestamp of watermarks('${id}') returned ${describe(given)}. Return a date, or milliseconds since the epoch, for every record; filter out records without a time before, with records(filter(…)).`,
  );

function describe(given: unknown): string {
  if (typeof given === 'number') return String(given);
  return types.isDate(given) ? 'an invalid date' : `a value of type ${typeName(given)}`;
}

/**
 * Derives the event time of a flow from its records, which event-time timers and state with an event-time TTL go by.
 *
 * A watermark of time *t* states that no record before *t* is expected any more. It follows the record that raised it,
 * at most once per millisecond of event time, and is `outOfOrder` before the latest timestamp so far. It depends on the
 * records only, so that a job that runs again, at any speed, produces the same. It never falls, and it is part of
 * checkpoints. Watermarks of operators before this one are replaced.
 *
 * A record that is later than it should be passes like any other. The input is idle after `idle` without a record, on
 * the job's clock while it runs, and no longer with the next record.
 *
 * ```
 * in:   O-1-3-2-5----E-|
 *       watermarks('time', { timestamp: (n) => n, outOfOrder: 1 })
 * out:  O-1-3-2-5----E-|
 *         0 2   4          watermarks, each directly after its record
 * ```
 *
 * `id` names its part of checkpoints. Errors: `InvalidOption` immediately; `DuplicateId`, `StateSchemaMismatch` on
 * start; `BadTimestamp`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const timed = visits.pipe(
 *   watermarks('visit-time', { timestamp: (v) => new Date(v.at), outOfOrder: '5s', idle: '1m' }),
 * );
 * ```
 */
export function watermarks<A>(id: string, options: WatermarkOptions<A>): FlowOperator<A, A> {
  checkId('the id of watermarks', id);
  const of = `watermarks('${id}')`;
  checkOptions(of, required(`the options of ${of}`, options), names);
  const { timestamp, outOfOrder = 0, idle } = options;
  checkFunction(`${of}.timestamp`, timestamp);
  const settings: Settings<A> = {
    id,
    timestamp,
    outOfOrder: parseDuration(`${of}.outOfOrder`, outOfOrder),
    idle: idle === undefined ? undefined : parseDuration(`${of}.idle`, idle),
  };
  if (settings.idle === 0) throw new InvalidOption(`${of}.idle`, idle, 'more than zero');
  return flowOperator<A, A>((out) => new Watermarks(out, settings));
}

const names: OptionNames<WatermarkOptions<never>> = { timestamp: true, outOfOrder: true, idle: true };
