import { checkOptions, oneOf, required, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption, parseDuration, type Duration } from '../../config/units.js';
import { absent, type Absent } from '../cells.js';
import type { StateHome, Sweeper, TimerTime } from '../state.js';
import type { Entry, Generations } from './table.js';
import { Timed } from '../values/timed.js';

/** How long values are kept: TTL, time to live. */
export interface TtlOptions {
  /**
   * How long a value, an entry of a map, or an element of a list is kept after it was written. May be as long as
   * `Number.MAX_SAFE_INTEGER`. A change applies to what is there already.
   */
  readonly after: Duration;
  /**
   * Whether reading counts as writing. With `'read'`, reads change state: what is read is in the next checkpoint, and of
   * a list, all of it. Default `'write'`.
   */
  readonly refresh?: 'write' | 'read';
  /**
   * Whether what has expired is hidden at once, or may be read until it is removed: soon, at the latest by a restore.
   * Default `'hidden'`.
   */
  readonly expired?: 'hidden' | 'until-cleaned';
  /**
   * `'processing'` time is that of the job's clock, `'event'` time that of watermarks. What was written before the first
   * watermark counts as written with it. Default `'processing'`.
   */
  readonly time?: TimerTime;
}

/** Checked options. */
export interface Ttl {
  /** Milliseconds. */
  readonly after: number;
  readonly refreshedByReads: boolean;
  readonly hides: boolean;
  readonly time: TimerTime;
}

/** @param of the function that declares the state. Errors: `InvalidOption`. */
export function ttlOf(of: string, ttl: TtlOptions | undefined): Ttl | undefined {
  if (ttl === undefined) return undefined;
  checkOptions(of, required(`ttl of ${of}`, ttl), names, 'ttl.');
  const { refresh = 'write', expired = 'hidden', time = 'processing' } = ttl;
  const key = (name: string): string => `ttl.${name} of ${of}`;
  const after = parseDuration(key('after'), ttl.after);
  if (after === 0) throw new InvalidOption(key('after'), after, 'more than zero');
  oneOf(key('refresh'), refresh, ['write', 'read']);
  oneOf(key('expired'), expired, ['hidden', 'until-cleaned']);
  oneOf(key('time'), time, ['processing', 'event']);
  return { after, refreshedByReads: refresh === 'read', hides: expired === 'hidden', time };
}

const names: OptionNames<TtlOptions> = { after: true, refresh: true, expired: true, time: true };

/** Decides which values of one state have expired. */
export class Lifetime {
  readonly hides: boolean;
  readonly #ttl: Ttl;
  readonly #clock: Pick<StateHome, 'now' | 'settled'>;
  /** The time that counts as that of values written before there was one. */
  #first = -Infinity;

  constructor(ttl: Ttl, clock: Pick<StateHome, 'now' | 'settled'>) {
    this.hides = ttl.hides;
    this.#ttl = ttl;
    this.#clock = clock;
  }

  get now(): number {
    const now = this.#clock.now(this.#ttl.time);
    if (this.#first === -Infinity) this.#first = now;
    return now;
  }

  isOver(timed: Timed, now = this.now): boolean {
    // Subtracted, never added: the sum could be beyond what a number holds. NaN if there is no time yet.
    return now - this.timeOf(timed) >= this.#ttl.after;
  }

  /** Whether it has expired in every checkpoint still to come, and in what is replayed after it. */
  isOverForGood(timed: Timed): boolean {
    return this.isOver(timed, this.#clock.settled(this.#ttl.time));
  }

  /** Whether reading it must renew its time. */
  isRenewed(timed: Timed): boolean {
    return this.#ttl.refreshedByReads && this.timeOf(timed) < this.now;
  }

  timeOf({ time }: Timed): number {
    return time === -Infinity ? this.#first : time;
  }

  /** Removes an entry if it has expired. */
  sweep<V, E extends Entry<V>>(from: Generations<V, E>, entry: E): void {
    if (entry.content instanceof Timed && this.isOver(entry.content)) from.write(entry, absent);
  }

  /** What a read of an entry finds. Removes it if it has expired, and renews it if reads do so. */
  read<V, E extends Entry<V>>(from: Generations<V, E>, entry: E): V | Absent {
    const { content } = entry;
    if (!(content instanceof Timed)) return content;
    if (this.isOver(content)) {
      if (!this.hides) return content;
      from.write(entry, absent);
      return absent;
    }
    if (this.isRenewed(content)) from.write(entry, new Timed(this.now, content.value) as V);
    return content;
  }
}

/** Entries looked at in each turn. More than one, so that a sweep overtakes the growth of state. */
const perTurn = 2;

/**
 * Visits the entries of a state round and round, a few per turn, so that expired ones leave memory even if they are never
 * read. Map iterators tolerate changes during the iteration.
 */
export class Sweep<E> implements Sweeper {
  readonly #entries: () => Iterable<E>;
  readonly #visit: (entry: E) => void;
  #position: Iterator<E> | undefined;

  constructor(entries: () => Iterable<E>, visit: (entry: E) => void) {
    this.#entries = entries;
    this.#visit = visit;
  }

  step(): void {
    for (let i = 0; i < perTurn; i++) {
      this.#position ??= this.#entries()[Symbol.iterator]();
      const next = this.#position.next();
      if (next.done === true) {
        this.#position = undefined;
        return;
      }
      this.#visit(next.value);
    }
  }
}
