import { checkOptions } from '../../config/checkOptions.js';
import { StateError, type StatePlace } from '../errors.js';
import { absent, type Absent, type CellContent, type CellPath } from '../cells.js';
import { KeyMap, Namespace } from '../keys/keyMap.js';
import { CompositeKey, KeyReader, type Key, type StoredKey } from '../keys/keys.js';
import { messagePack } from '../values/serializer.js';
import type {
  DueTimer,
  FrozenCells,
  LiveState,
  StateHome,
  StateSpec,
  TimerQueue,
  TimerTime,
} from '../state.js';
import { FrozenEntries, Generations, type Entry } from './table.js';
import { outsideTurn } from './handle.js';
import { formerlyOf, stateNameOptions, type StateNameOptions } from './options.js';
import { TimerHeap, type Scheduled } from './timerHeap.js';

/** Timers per key. Usable only during the turn of a record or of another timer. */
export interface Timers {
  /** The current time, in milliseconds since the epoch. Event time: that of the last watermark, at first `-Infinity`. */
  readonly now: number;
  /**
   * Sets a timer of the key, in milliseconds since the epoch. There is one per time and namespace: setting it again
   * has no effect. If the time has passed, it is due after the turn (processing time) or at the next watermark (event
   * time). Returns whether it is now the earliest of all keys. Errors: `UnsupportedKey` for the
   * namespace, `UnsupportedValue` for the time.
   */
  set(at: number | Date, namespace?: Key): boolean;
  /** Removes a timer. Returns whether there was one. */
  clear(at: number | Date, namespace?: Key): boolean;
  /** The key's timers, in no particular order. */
  pending(): readonly PendingTimer[];
}

export interface PendingTimer {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly namespace: Key | undefined;
}

/**
 * Declares timers per key. They are state: a restore brings them back exactly. `onTimer` of `keyed` is called when one
 * is due, in the order of their times. Those of the same time fire in a fixed order of keys and namespaces, so that a restored
 * attempt does what an uninterrupted one does.
 *
 * - `'event'` time is that of watermarks (see `watermarks`): all timers up to a watermark fire before it is passed on.
 *   At the end of the input, event time advances to the latest timer that is set. Timers that `onTimer` then sets for
 *   later stay set.
 * - `'processing'` time is that of the job's clock. A timer that became due while the job was down fires once it runs
 *   again. At the end of the input, timers stay set.
 *
 * A timer that `onTimer` sets for a time that has passed fires immediately afterwards.
 *
 * @example
 * ```ts
 * keyed('sessions', {
 *   key: (v: Visit) => v.user,
 *   state: { last: valueState(0), ends: timers('event') },
 *   onRecord: (v, { last, ends }) => {
 *     ends.clear(last.value + 60_000);
 *     ends.set(last.update(() => Date.parse(v.at)) + 60_000);
 *     return [];
 *   },
 *   onTimer: ({ key, at }) => [{ user: key, ended: at }],
 * });
 * ```
 */
export function timers(time: TimerTime, options: StateNameOptions = {}): StateSpec<Timers> {
  checkOptions('timers', options, stateNameOptions);
  if (!['event', 'processing'].includes(time))
    throw new StateError('InvalidState', `timers(…) needs 'event' or 'processing'.`);
  return {
    kind: `${time}-timers`,
    serializer: messagePack,
    formerly: formerlyOf('timers', options),
    open: (name, home) => new LiveTimers(name, time, home),
    contents: (handle) => {
      const pending = handle.pending();
      return pending.length === 0 ? undefined : pending;
    },
  };
}

/** Whether it is a state declared with {@link timers}. */
export function hasTimers({ kind }: Pick<StateSpec<unknown>, 'kind'>): boolean {
  return kind.endsWith('-timers');
}

interface TimerEntry extends Entry<true>, Scheduled {
  readonly space: Namespace | undefined;
}

/** The timers of one key, by {@link idOf}. Most keys have at most one. */
type OfKey = TimerEntry | Map<number | string, TimerEntry>;

/** A fixed order of timers with the same time, cheap for primitive keys. */
function ties(a: TimerEntry, b: TimerEntry): number {
  const [x, y] = [orderOf(a.key), orderOf(b.key)];
  if (x !== y) return typeof x === typeof y ? (x < y ? -1 : 1) : typeof x < typeof y ? -1 : 1;
  const [m, n] = [a.space?.id ?? '', b.space?.id ?? ''];
  return m === n ? 0 : m < n ? -1 : 1;
}

function orderOf(key: StoredKey): string | number | bigint {
  if (key instanceof CompositeKey) return key.id;
  return typeof key === 'boolean' || key === null ? String(key) : key;
}

class TimerEntries extends Generations<true, TimerEntry> {
  readonly heap = new TimerHeap<TimerEntry>(ties);
  readonly #keys = new KeyMap<OfKey>();
  /** Including cleared timers until their tombstones are stored. */
  size = 0;

  find(key: StoredKey, at: number, space: Namespace | undefined): TimerEntry | undefined {
    const found = this.#keys.get(key);
    const id = idOf(at, space);
    if (found instanceof Map) return found.get(id);
    return found !== undefined && idOf(found.at, found.space) === id ? found : undefined;
  }

  of(key: StoredKey): readonly TimerEntry[] {
    const found = this.#keys.get(key);
    if (found === undefined) return [];
    return found instanceof Map ? [...found.values()] : [found];
  }

  /** Inserts a timer that {@link find} has not found. */
  insert(key: StoredKey, at: number, space: Namespace | undefined): void {
    const entry = this.#create(key, at, space, this.generation);
    this.made(entry);
  }

  override write(entry: TimerEntry, content: true | Absent): void {
    super.write(entry, content);
    if (content === absent) {
      if (entry.index >= 0) this.heap.remove(entry);
    } else if (entry.index < 0) this.heap.add(entry);
  }

  load(key: StoredKey, at: number, space: Namespace | undefined, content: true | Absent): void {
    const loaded = this.find(key, at, space);
    if (content === absent) {
      if (loaded === undefined) return;
      this.heap.remove(loaded);
      this.remove(loaded);
    } else if (loaded === undefined) this.#create(key, at, space, 0);
  }

  protected override remove(entry: TimerEntry): void {
    const { key, at, space } = entry;
    this.size--;
    const found = this.#keys.get(key);
    if (found instanceof Map) {
      found.delete(idOf(at, space));
      if (found.size === 0) this.#keys.delete(key);
    } else this.#keys.delete(key);
  }

  #create(key: StoredKey, at: number, space: Namespace | undefined, generation: number): TimerEntry {
    this.size++;
    const entry: TimerEntry = { key, content: true, generation, older: undefined, at, space, index: -1 };
    const found = this.#keys.get(key);
    if (found === undefined) this.#keys.set(key, entry);
    else if (found instanceof Map) found.set(idOf(at, space), entry);
    else
      this.#keys.set(
        key,
        new Map([
          [idOf(found.at, found.space), found],
          [idOf(at, space), entry],
        ]),
      );
    this.heap.add(entry);
    return entry;
  }
}

function idOf(at: number, space: Namespace | undefined): number | string {
  return space === undefined ? at : `${at} ${space.id}`;
}

class LiveTimers implements LiveState<Timers>, Timers, TimerQueue {
  readonly time: TimerTime;
  readonly #place: StatePlace;
  readonly #entries = new TimerEntries();
  readonly #home: StateHome | undefined;
  #key: StoredKey | undefined;

  constructor(name: string, time: TimerTime, home: StateHome | undefined) {
    this.#place = { operator: home?.operator ?? '', state: name };
    this.time = time;
    this.#home = home;
  }

  get now(): number {
    return this.#home?.now(this.time) ?? -Infinity;
  }

  get handle(): Timers {
    return this;
  }

  get timers(): TimerQueue {
    return this;
  }

  get size(): number {
    return this.#entries.size;
  }

  at(key: StoredKey): void {
    this.#key = key;
  }

  leave(): void {
    this.#key = undefined;
  }

  remember(): void {
    this.#entries.remember();
  }

  undo(): void {
    this.#entries.undo();
  }

  forget(): void {
    this.#entries.forget();
  }

  set(at: number | Date, namespace?: Key): boolean {
    const key = this.#current;
    const time = this.#timeOf(at);
    const space = namespace === undefined ? undefined : Namespace.of(namespace, this.#place);
    const earliest = this.next;
    const entry = this.#entries.find(key, time, space);
    if (entry === undefined) this.#entries.insert(key, time, space);
    else if (entry.content === absent) this.#entries.write(entry, true);
    return time < earliest;
  }

  clear(at: number | Date, namespace?: Key): boolean {
    const key = this.#current;
    const space = namespace === undefined ? undefined : Namespace.of(namespace, this.#place);
    const entry = this.#entries.find(key, this.#timeOf(at), space);
    if (entry === undefined || entry.content === absent) return false;
    this.#entries.write(entry, absent);
    return true;
  }

  pending(): readonly PendingTimer[] {
    return this.#entries
      .of(this.#current)
      .filter(({ content }) => content !== absent)
      .map(({ at, space }) => ({ at, namespace: namespaceOf(space) }));
  }

  get next(): number {
    return this.#entries.heap.first?.at ?? Infinity;
  }

  get last(): number {
    return this.#entries.heap.last;
  }

  take(): DueTimer {
    const entry = this.#entries.heap.first;
    if (entry === undefined) throw new RangeError('there is no timer');
    this.#entries.write(entry, absent);
    return { key: entry.key, at: entry.at, namespace: namespaceOf(entry.space) };
  }

  freeze(): FrozenCells {
    return new FrozenEntries<true, TimerEntry>(this.#entries, (content) => content, pathOf);
  }

  load(key: StoredKey, { namespace, subKey }: CellPath, content: CellContent): void {
    const at = timeAt(subKey);
    this.#entries.load(key, at, Namespace.at(namespace), content === absent ? absent : true);
  }

  convert(content: CellContent): CellContent {
    return content;
  }

  get #current(): StoredKey {
    if (this.#key === undefined) throw outsideTurn(this.#place.state);
    return this.#key;
  }

  #timeOf(at: number | Date): number {
    // Adding 0 turns -0 into 0.
    const time = Number(at) + 0;
    if (Number.isFinite(time)) return time;
    throw new StateError(
      'UnsupportedValue',
      `State ${this.#place.state} cannot hold a timer at ${String(at)}: give it a date, or milliseconds since the epoch.`,
    );
  }
}

function namespaceOf(space: Namespace | undefined): Key | undefined {
  return space === undefined ? undefined : new KeyReader(space.bytes).value();
}

const nowhere = new Uint8Array(0);

function pathOf({ at, space }: TimerEntry): CellPath {
  return { namespace: space?.bytes ?? nowhere, subKey: timeBytes(at) };
}

/** Eight bytes, in the order of time. */
function timeBytes(at: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleBE(at);
  flip(bytes, at < 0);
  return bytes;
}

/** The inverse of {@link timeBytes}. Throws `RangeError`. */
function timeAt(subKey: Uint8Array): number {
  if (subKey.length !== 8) throw new RangeError('a time has eight bytes');
  const bytes = Buffer.from(subKey);
  flip(bytes, ((bytes[0] ?? 0) & 128) === 0);
  const at = bytes.readDoubleBE();
  if (!Number.isFinite(at)) throw new RangeError('a time is finite');
  return at;
}

/** Doubles are in order as unsigned numbers once the sign is inverted, and negative ones all other bits, too. */
function flip(bytes: Buffer, negative: boolean): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] ?? 0) ^ (negative ? 255 : i === 0 ? 128 : 0);
}
