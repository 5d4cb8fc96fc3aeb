import { StateError } from './errors.js';
import { CompositeKey, type PrimitiveKey, type StoredKey } from './keys.js';

/**
 * The hot path of keyed state: one `Map` from key to an {@link Entry} that is changed in place.
 *
 * Time is cut into generations by barriers. An entry is stamped with the generation that last wrote it; the first
 * write of a generation puts it into the dirty array. So:
 *
 * 1. **Freeze** swaps the dirty array for an empty one and raises the generation: O(1), whatever was written.
 * 2. A later write to an entry that a frozen generation still needs keeps the old content as `older`.
 * 3. A frozen generation is read by {@link contentAt}: the newest content that is not younger than it. Generations are
 *    stored in order, so whatever is older still is forgotten at this moment.
 * 4. Once it is stored, {@link Table.stored} drops what it cleared. If storing failed, {@link Table.unfreeze} puts its
 *    entries back **under** everything written since: into the next frozen generation, or the current one.
 *
 * An entry is never copied, and nothing is done for entries that nobody writes.
 */
export interface Entry<C> {
  readonly key: StoredKey;
  /** What is in force now; {@link absent} when cleared. */
  content: C | Absent;
  /** The generation that wrote `content`. */
  generation: number;
  /** What older, still needed generations hold; newest first. */
  older: Older<C> | undefined;
}

interface Older<C> {
  readonly content: C | Absent;
  readonly generation: number;
  older: Older<C> | undefined;
}

/** Stands for "no value": a tombstone. */
export class Absent {
  declare protected readonly brand: never;
}
export const absent = new Absent();

/** The entries that one generation wrote, as they were when it was frozen. */
export interface FrozenSet<C> {
  readonly generation: number;
  /** The oldest generation that this set took over from failed ones. */
  oldest: number;
  entries: Entry<C>[];
  /** Those that were found absent while the set was read. */
  readonly cleared: Entry<C>[];
}

/** What `set`, the oldest that is not stored yet, holds for one of its entries. */
export function contentAt<C>(entry: Entry<C>, set: FrozenSet<C>): C | Absent {
  let version: Entry<C> | Older<C> = entry;
  while (version.generation > set.generation) {
    if (version.older === undefined) throw new RangeError('what a frozen set needs is kept');
    version = version.older;
  }
  version.older = undefined;
  if (version.content === absent) set.cleared.push(entry);
  return version.content;
}

export class Table<C> {
  readonly #primitives = new Map<PrimitiveKey, Entry<C>>();
  readonly #composites = new Map<string, Entry<C>>();
  #generation = 1;
  /** Frozen, not yet stored; oldest first. */
  readonly #frozen: FrozenSet<C>[] = [];
  /** Contents of this generation and younger ones are kept when they are overwritten. */
  #needed = 1;
  #dirty = noEntries<C>();

  /** Keys held, cleared ones included until their tombstones are stored. */
  get size(): number {
    return this.#primitives.size + this.#composites.size;
  }

  find(key: StoredKey): Entry<C> | undefined {
    // Most keys are primitives; a composite one is none of them.
    const entry = this.#primitives.get(key as PrimitiveKey);
    return entry === undefined ? this.#composite(key) : entry;
  }

  /** Writes through an entry that {@link find} gave. */
  write(entry: Entry<C>, content: C | Absent): void {
    if (entry.generation !== this.#generation) this.#touch(entry);
    entry.content = content;
  }

  /** Writes a key that {@link find} did not know. */
  insert(key: StoredKey, content: C): Entry<C> {
    const entry: Entry<C> = { key, content, generation: this.#generation, older: undefined };
    this.#add(entry);
    this.#dirty.push(entry);
    return entry;
  }

  /** Takes over what a checkpoint holds for a key: clean, over anything loaded before. */
  load(key: StoredKey, content: C | Absent): void {
    if (content instanceof Absent) this.#remove(key);
    else this.#add({ key, content, generation: 0, older: undefined });
  }

  /** O(1). The set stays readable until it is given to {@link stored} or {@link unfreeze}. */
  freeze(): FrozenSet<C> {
    const generation = this.#generation++;
    const set: FrozenSet<C> = { generation, oldest: generation, entries: this.#dirty, cleared: [] };
    this.#frozen.push(set);
    this.#dirty = noEntries();
    return set;
  }

  /** The oldest frozen set has been read as a whole, and is stored. */
  stored(set: FrozenSet<C>): void {
    this.#settle(set);
    for (const entry of set.cleared) {
      if (entry.generation <= set.generation) this.#remove(entry.key);
    }
    set.entries = [];
  }

  /** The oldest frozen set could not be stored: its entries go on to the next one. */
  unfreeze(set: FrozenSet<C>): void {
    const next = this.#frozen[1];
    if (next === undefined) {
      for (const entry of set.entries) {
        if (entry.generation > set.generation) continue;
        entry.generation = this.#generation;
        this.#dirty.push(entry);
      }
      this.#settle(set);
      return;
    }
    const rewritten = new Set(next.entries);
    for (const entry of set.entries) if (!rewritten.has(entry)) next.entries.push(entry);
    next.oldest = set.oldest;
    this.#settle(set);
  }

  #settle(set: FrozenSet<C>): void {
    if (this.#frozen[0] !== set) throw new RangeError('frozen sets are settled in order');
    this.#frozen.shift();
    this.#needed = this.#frozen.at(0)?.oldest ?? this.#generation;
  }

  #touch(entry: Entry<C>): void {
    const { content, generation } = entry;
    entry.older =
      generation < this.#needed ? undefined : { content, generation, older: trim(entry.older, this.#needed) };
    entry.generation = this.#generation;
    this.#dirty.push(entry);
  }

  #composite(key: StoredKey): Entry<C> | undefined {
    return key instanceof CompositeKey ? this.#composites.get(key.id) : undefined;
  }

  #add(entry: Entry<C>): void {
    const { key } = entry;
    try {
      if (key instanceof CompositeKey) this.#composites.set(key.id, entry);
      else this.#primitives.set(key, entry);
    } catch (cause) {
      throw new StateError(
        'TooManyKeys',
        `A state holds ${this.size.toLocaleString('en-US')} keys, and V8 lets no map have more. Clear keys that are over, or split them: several keyed(…), each with a part of the keys.`,
        { cause },
      );
    }
  }

  #remove(key: StoredKey): void {
    if (key instanceof CompositeKey) this.#composites.delete(key.id);
    else this.#primitives.delete(key);
  }
}

/**
 * Has held an object once, so V8 takes it for an array of objects from the start. A fresh `[]` is one of integers until its first
 * element comes, and where both kinds turn up, the optimizer leaves each `push` to a call.
 */
function noEntries<C>(): Entry<C>[] {
  const list: Entry<C>[] = [{ key: null, content: absent, generation: 0, older: undefined }];
  list.pop();
  return list;
}

/** Cuts off what no frozen set needs any more, so that histories are never longer than the sets in flight. */
function trim<C>(newest: Older<C> | undefined, needed: number): Older<C> | undefined {
  if (newest === undefined || newest.generation < needed) return undefined;
  let version = newest;
  while (version.older !== undefined && version.older.generation >= needed) version = version.older;
  version.older = undefined;
  return newest;
}
