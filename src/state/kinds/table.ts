import { absent, Absent, noPath, type CellContent, type CellPath } from '../cells.js';
import { SpaceMap, type Namespace } from '../keys/keyMap.js';
import type { StoredKey } from '../keys/keys.js';
import type { FrozenCells } from '../state.js';

/**
 * The hot path of keyed state: one `Map` from keys to {@link Entry} objects, which are changed in place.
 *
 * Barriers divide time into generations. An entry is stamped with the generation that last wrote it; its first write
 * in a generation adds it to the dirty array. So:
 *
 * 1. **Freeze** replaces the dirty array by an empty one and increments the generation: O(1).
 * 2. A write to an entry that a frozen generation still needs keeps the old content as `older`.
 * 3. {@link contentAt} reads a frozen generation: the newest content that is not younger than it. Generations are
 *    stored in order, so anything older is dropped at that point.
 * 4. Once the generation is stored, its cleared entries are removed: {@link Generations.removeCleared}.
 * 5. If storing failed, {@link Generations.giveBack} puts its entries back **under** newer writes, a few at a time.
 *    Each goes to the generation that is to be stored next at that moment: the oldest frozen one, which a freeze may
 *    have created since the last call, or else the current one. Whether that generation wrote the entry itself follows
 *    from the entry's versions. Until the last entry is given back, the failed generation is the oldest one: nothing
 *    that it holds is dropped, and nothing later is stored.
 *
 * Entries are never copied, and entries that are not written cost nothing.
 */
export interface Entry<C> {
  readonly key: StoredKey;
  /** The current content; {@link absent} if cleared. */
  content: C | Absent;
  /** The generation that wrote `content`. */
  generation: number;
  /** The contents that frozen generations still need, newest first. */
  older: Older<C> | undefined;
}

interface Older<C> {
  readonly content: C | Absent;
  readonly generation: number;
  older: Older<C> | undefined;
}

/** The entries that one generation wrote, as they were when it was frozen. */
export interface FrozenSet<C, E extends Entry<C> = Entry<C>> {
  readonly generation: number;
  /** The oldest generation whose entries were given back into this set. */
  oldest: number;
  entries: E[];
  /** Entries found absent while the set was read. */
  readonly cleared: E[];
}

/** The content of an entry in `set`, which must be the oldest set not stored yet. */
export function contentAt<C, E extends Entry<C>>(entry: E, set: FrozenSet<C, E>): C | Absent {
  const version = versionAt(entry, set.generation);
  version.older = undefined;
  if (version.content === absent) set.cleared.push(entry);
  return version.content;
}

/** The newest content of an entry that is not younger than `generation`. */
function versionAt<C>(entry: Entry<C> | Older<C>, generation: number): Entry<C> | Older<C> {
  let version = entry;
  while (version.generation > generation) {
    if (version.older === undefined) throw new RangeError('what a frozen set needs is kept');
    version = version.older;
  }
  return version;
}

/** Tracks the dirty entries of a state, and the contents that frozen sets still need. */
export abstract class Generations<C, E extends Entry<C> = Entry<C>> {
  protected generation = 1;
  /** Frozen, not yet stored; oldest first. */
  readonly #frozen: FrozenSet<C, E>[] = [];
  /** Contents of this and younger generations are kept when they are overwritten. */
  #needed = 1;
  #dirty = noEntries<E>();
  /** What entries held before each write since {@link remember}, oldest first. */
  #undoLog: { readonly entry: E; readonly content: C | Absent; readonly dirty: boolean }[] | undefined;

  /** Removes an entry from memory once its tombstone is stored. */
  protected abstract remove(entry: E): void;

  write(entry: E, content: C | Absent): void {
    if (this.#undoLog !== undefined) this.#log(entry, entry.content);
    if (entry.generation !== this.generation) this.#touch(entry);
    entry.content = content;
  }

  /** Logs writes, so that {@link undo} can revert them until {@link forget}. */
  remember(): void {
    this.#undoLog = [];
  }

  forget(): void {
    this.#undoLog = undefined;
  }

  undo(): void {
    const log = this.#undoLog ?? [];
    this.#undoLog = undefined;
    for (let last = log.pop(); last !== undefined; last = log.pop())
      this.write(last.entry, last.dirty ? last.content : this.unchanged(last.content));
  }

  /** Whether writes are being logged. */
  protected get remembering(): boolean {
    return this.#undoLog !== undefined;
  }

  /** Registers an entry created in the current generation, which is dirty from the start. */
  protected made(entry: E): void {
    if (this.#undoLog !== undefined) this.#log(entry, absent);
    this.#dirty.push(entry);
  }

  /** The content of an older generation, as what the current one writes if nothing has changed. */
  protected unchanged(content: C | Absent): C | Absent {
    return content;
  }

  /**
   * What `set` could not store of an entry, `older`, goes under `newer`, which was written later. By default `newer`
   * replaces it.
   */
  protected under?(older: C | Absent, newer: C | Absent): void;

  /** O(1). The set stays readable until it is passed to {@link stored} or {@link giveBack}. */
  freeze(): FrozenSet<C, E> {
    const generation = this.generation++;
    const set: FrozenSet<C, E> = { generation, oldest: generation, entries: this.#dirty, cleared: [] };
    this.#frozen.push(set);
    this.#dirty = noEntries();
    return set;
  }

  /** The oldest frozen set has been read completely, and is stored. */
  stored(set: FrozenSet<C, E>): void {
    this.#release(set);
    set.entries = [];
  }

  /** Removes up to `most` cleared entries of a stored set, and returns how many. There may be writes between calls. */
  removeCleared(set: FrozenSet<C, E>, most: number): number {
    const entries = set.cleared.splice(Math.max(0, set.cleared.length - most));
    for (const entry of entries) {
      if (entry.generation <= set.generation) this.remove(entry);
    }
    return entries.length;
  }

  /**
   * The oldest frozen set could not be stored: up to `most` of its entries go to the next one. Returns how many; if
   * fewer than `most`, these were the last, and the set is released. There may be writes and freezes between calls.
   */
  giveBack(set: FrozenSet<C, E>, most: number): number {
    if (this.#frozen[0] !== set) throw new RangeError('frozen sets are released in order');
    const next = this.#frozen[1];
    const entries = set.entries.splice(Math.max(0, set.entries.length - most));
    for (const entry of entries) {
      const newest = versionAt(entry, next?.generation ?? this.generation);
      if (newest.generation > set.generation) this.#goUnder(newest, set);
      else if (next !== undefined) next.entries.push(entry);
      else {
        entry.generation = this.generation;
        this.#dirty.push(entry);
      }
    }
    if (entries.length < most) {
      if (next !== undefined) next.oldest = set.oldest;
      this.#release(set);
    }
    return entries.length;
  }

  /** What `set` holds of an entry goes under what a later generation wrote. */
  #goUnder(newer: Entry<C> | Older<C>, set: FrozenSet<C, E>): void {
    if (this.under === undefined) return;
    this.under(versionAt(newer.older ?? newer, set.generation).content, newer.content);
  }

  #log(entry: E, content: C | Absent): void {
    this.#undoLog?.push({ entry, content, dirty: entry.generation === this.generation });
  }

  #release(set: FrozenSet<C, E>): void {
    if (this.#frozen[0] !== set) throw new RangeError('frozen sets are released in order');
    this.#frozen.shift();
    this.#needed = this.#frozen.at(0)?.oldest ?? this.generation;
  }

  #touch(entry: E): void {
    const { content, generation } = entry;
    entry.older =
      generation < this.#needed ? undefined : { content, generation, older: trim(entry.older, this.#needed) };
    entry.generation = this.generation;
    this.#dirty.push(entry);
  }
}

/** One entry per key and namespace. */
export class Table<C> extends Generations<C> {
  readonly #entries = new SpaceMap<Entry<C>>();

  /** Number of entries, including cleared ones until their tombstones are stored. */
  get size(): number {
    return this.#entries.size;
  }

  /** All entries, in no particular order. The table may be changed meanwhile. */
  entries(): Iterable<Entry<C>> {
    return this.#entries.values();
  }

  find(key: StoredKey, space?: Namespace): Entry<C> | undefined {
    return this.#entries.get(key, space);
  }

  /** The keys that have a content outside of namespaces. Their order differs after a restore. */
  *keys(): Generator<StoredKey, void> {
    for (const { key, content } of this.#entries.plain()) if (content !== absent) yield key;
  }

  /** Inserts an entry that {@link find} has not found. */
  insert(key: StoredKey, content: C, space?: Namespace): Entry<C> {
    const entry = entryOf(key, content, this.generation, space);
    this.#entries.set(key, space, entry);
    this.made(entry);
    return entry;
  }

  /** Loads an entry from a checkpoint: replaces what was loaded before, and is not dirty. */
  load(key: StoredKey, content: C | Absent, space?: Namespace): void {
    if (content instanceof Absent) this.#entries.delete(key, space);
    else this.#entries.set(key, space, entryOf(key, content, 0, space));
  }

  protected override remove(entry: Entry<C>): void {
    this.#entries.delete(entry.key, spaceOf(entry));
  }
}

/** An entry in a namespace. Others have no such property, as there may be tens of millions of them. */
interface SpacedEntry<C> extends Entry<C> {
  readonly space: Namespace;
}

function entryOf<C>(key: StoredKey, content: C, generation: number, space: Namespace | undefined): Entry<C> {
  if (space === undefined) return { key, content, generation, older: undefined };
  const entry: SpacedEntry<C> = { key, content, generation, older: undefined, space };
  return entry;
}

function spaceOf(entry: Entry<unknown>): Namespace | undefined {
  return (entry as Partial<SpacedEntry<unknown>>).space;
}

/** The path of an entry of a {@link Table}. */
export function tablePath(entry: Entry<unknown>): CellPath {
  const space = spaceOf(entry);
  return space === undefined ? noPath : { namespace: space.bytes, subKey: noPath.subKey };
}

/** A frozen set as cells. */
export class FrozenEntries<C, E extends Entry<C> = Entry<C>> implements FrozenCells {
  readonly #of: Generations<C, E>;
  readonly #set: FrozenSet<C, E>;

  /** @param encode converts a content to the form of segments */
  constructor(
    of: Generations<C, E>,
    readonly encode: (content: unknown, key: StoredKey, path: CellPath) => CellContent,
    readonly pathOf: (entry: E) => CellPath,
  ) {
    this.#of = of;
    this.#set = of.freeze();
  }

  get size(): number {
    return this.#set.entries.length;
  }

  key(cell: number): StoredKey {
    return this.#entry(cell).key;
  }

  path(cell: number): CellPath {
    return this.pathOf(this.#entry(cell));
  }

  read(cell: number): C | Absent {
    return contentAt(this.#entry(cell), this.#set);
  }

  stored(): void {
    this.#of.stored(this.#set);
  }

  removeCleared(most: number): number {
    return this.#of.removeCleared(this.#set, most);
  }

  giveBack(most: number): number {
    return this.#of.giveBack(this.#set, most);
  }

  #entry(cell: number): E {
    const entry = this.#set.entries[cell];
    if (entry === undefined) throw new RangeError(`there is no cell ${cell}`);
    return entry;
  }
}

/**
 * An empty array that V8 treats as an array of objects, because it has held one. A fresh `[]` is an array of small
 * integers until its first `push`, and a call site that sees both kinds is not inlined.
 */
function noEntries<E>(): E[] {
  const list: unknown[] = [{ key: null, content: absent, generation: 0, older: undefined }];
  list.pop();
  return list as E[];
}

/** Drops the versions that no frozen set needs, so that a history is never longer than the number of frozen sets. */
function trim<C>(newest: Older<C> | undefined, needed: number): Older<C> | undefined {
  if (newest === undefined || newest.generation < needed) return undefined;
  let version = newest;
  while (version.older !== undefined && version.older.generation >= needed) version = version.older;
  version.older = undefined;
  return newest;
}
