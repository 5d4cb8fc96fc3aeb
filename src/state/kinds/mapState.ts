import { absent, Absent, type CellContent, type CellPath } from '../cells.js';
import { KeyMap, Namespace, SpaceMap } from '../keys/keyMap.js';
import { encodeKey, KeyReader, keyUses, storedKey, userKey, type Key, type StoredKey } from '../keys/keys.js';
import type { StatePlace } from '../errors.js';
import type { FrozenCells, StateSpec } from '../state.js';
import { FrozenEntries, Generations, type Entry } from './table.js';
import { Timed } from '../values/timed.js';
import { Contents, type Held } from './contents.js';
import { Handle } from './handle.js';
import { LiveCollection } from './liveCollection.js';
import { checkState, type KeyedStateOptions } from './options.js';
import { type Lifetime } from './ttl.js';

/**
 * A map per key. Usable only during the turn of its record.
 *
 * A checkpoint stores the entries that changed since the last one. Values are isolated as those of `ValueState` are.
 * Names are compared as keys are: `1` and `'1'` differ, `{ a, b }` and `{ b, a }` do not.
 *
 * Iterations are in no particular order, and the map may be changed meanwhile: entries that are deleted before they are
 * reached are not visited, entries that are added may be, and none is visited twice.
 */
export interface MapState<K extends Key, V> extends Iterable<[K, V]> {
  readonly size: number;
  get(name: K): V | undefined;
  has(name: K): boolean;
  /** Errors: `UnsupportedKey`, and as `ValueState.set`. */
  set(name: K, value: V): void;
  /** Sets the value to the result of `change`, and returns it. */
  update(name: K, change: (value: V | undefined) => V): V;
  /** Returns whether there was such an entry. */
  delete(name: K): boolean;
  keys(): Iterable<K>;
  values(): Iterable<V>;
  entries(): Iterable<[K, V]>;
  /** Deletes all entries, one by one. */
  clear(): void;
  /** The map of the record's key in a namespace, such as a window. Errors: `UnsupportedKey`. */
  in(namespace: Key): MapState<K, V>;
}

/**
 * Declares a state with a map per key. The serializer of the options is that of values.
 *
 * @example
 * ```ts
 * keyed('pages', {
 *   key: (v: Visit) => v.user,
 *   state: { pages: mapState<string, number>() },
 *   onRecord: (v, { pages }) => {
 *     const count = pages.update(v.page, (n = 0) => n + 1);
 *     return [{ user: v.user, page: v.page, count, pages: pages.size }];
 *   },
 * });
 * ```
 *
 * Errors: `InvalidOption`, `InvalidState`.
 */
export function mapState<K extends Key, V>(options: KeyedStateOptions<V> = {}): StateSpec<MapState<K, V>> {
  const { serializer, ttl, formerly } = checkState('mapState', options);
  return {
    kind: 'map',
    serializer,
    formerly,
    open: (name, home) => new LiveMapState(new Contents({ name, serializer, home, ttl })),
    contents: (map) => (map.size === 0 ? undefined : new Map(map)),
  };
}

/** The entries of one key and namespace, by name. */
class Collection<V> extends KeyMap<MapEntry<V>> {
  /** Number of entries that are not deleted. */
  present = 0;

  constructor(
    readonly key: StoredKey,
    readonly space: Namespace | undefined,
  ) {
    super();
  }
}

interface MapEntry<V> extends Entry<Held<V>> {
  readonly of: Collection<V>;
  readonly name: StoredKey;
}

class MapEntries<V> extends Generations<Held<V>, MapEntry<V>> {
  readonly #collections = new SpaceMap<Collection<V>>();
  /** Entries in all collections, including deleted ones until their tombstones are stored. */
  size = 0;

  /** The entries of all collections. They may be changed meanwhile. */
  *entries(): Generator<MapEntry<V>, void> {
    for (const collection of this.#collections.values()) yield* collection.values();
  }

  find(key: StoredKey, space: Namespace | undefined): Collection<V> | undefined {
    return this.#collections.get(key, space);
  }

  /** Finds or creates it. */
  collection(key: StoredKey, space: Namespace | undefined): Collection<V> {
    let collection = this.find(key, space);
    if (collection === undefined) {
      collection = new Collection(key, space);
      this.#collections.set(key, space, collection);
    }
    return collection;
  }

  /** Inserts an entry that is not in the collection. */
  insert(of: Collection<V>, name: StoredKey, content: Held<V>): void {
    const { key } = of;
    const entry: MapEntry<V> = { key, content, generation: this.generation, older: undefined, of, name };
    of.set(name, entry);
    of.present++;
    this.size++;
    this.made(entry);
  }

  override write(entry: MapEntry<V>, content: Held<V> | Absent): void {
    const change = Number(entry.content === absent) - Number(content === absent);
    if (change !== 0) entry.of.present += change;
    super.write(entry, content);
  }

  /** Loads an entry from a checkpoint: replaces what was loaded before, and is not dirty. */
  load(key: StoredKey, space: Namespace | undefined, name: StoredKey, content: Held<V>): void {
    const of = this.collection(key, space);
    if (of.get(name) === undefined) {
      of.present++;
      this.size++;
    }
    of.set(name, { key, content, generation: 0, older: undefined, of, name });
  }

  unload(key: StoredKey, space: Namespace | undefined, name: StoredKey): void {
    const of = this.find(key, space);
    const loaded = of?.get(name);
    if (of === undefined || loaded === undefined) return;
    of.present--;
    this.remove(loaded);
  }

  protected override remove({ of, name }: MapEntry<V>): void {
    of.delete(name);
    this.size--;
    if (of.size === 0) this.#collections.delete(of.key, of.space);
  }
}

class LiveMapState<K extends Key, V> extends LiveCollection<V, MapHandle<K, V>, Held<V>, MapEntry<V>> {
  protected override readonly entries: MapEntries<V>;

  constructor(contents: Contents<V>, entries = new MapEntries<V>()) {
    super(new MapHandle(entries, contents), contents);
    this.entries = entries;
  }

  freeze(): FrozenCells {
    return new FrozenEntries<Held<V>, MapEntry<V>>(this.entries, this.contents.encode, pathOf);
  }

  load(key: StoredKey, { namespace, subKey }: CellPath, content: CellContent, version: number): void {
    const space = Namespace.at(namespace);
    const name = new KeyReader(subKey).key();
    const contents = this.contents;
    const held = content === absent ? absent : contents.decode(content, version);
    const over = held instanceof Timed && contents.lifetime?.isOver(held) === true;
    if (held instanceof Absent || over) this.entries.unload(key, space, name);
    else this.entries.load(key, space, name, held);
  }

  convert(content: CellContent, version: number): CellContent {
    return this.contents.convert(content, version);
  }

  unexpired(content: CellContent): CellContent {
    return this.contents.unexpired(content);
  }

  protected override sweep(entry: MapEntry<V>, lifetime: Lifetime): void {
    lifetime.sweep(this.entries, entry);
  }
}

const nowhere = new Uint8Array(0);

function pathOf({ of, name }: MapEntry<unknown>): CellPath {
  return { namespace: of.space?.bytes ?? nowhere, subKey: encodeKey(name) };
}

class MapHandle<K extends Key, V> extends Handle<MapHandle<K, V>, Collection<V>> implements MapState<K, V> {
  readonly #entries: MapEntries<V>;
  readonly #contents: Contents<V>;

  constructor(entries: MapEntries<V>, contents: Contents<V>) {
    super();
    this.#entries = entries;
    this.#contents = contents;
  }

  get size(): number {
    const collection = this.found;
    const { lifetime } = this.#contents;
    if (collection === undefined || lifetime?.hides !== true) return collection?.present ?? 0;
    let size = 0;
    for (const { content } of collection.values())
      if (content instanceof Timed && !lifetime.isOver(content)) size++;
    return size;
  }

  get(name: K): V | undefined {
    const held = this.#read(this.found?.get(storedKey(name, keyUses.name, this.#contents.place)));
    return held instanceof Absent ? undefined : this.#contents.reveal(held);
  }

  has(name: K): boolean {
    return this.#read(this.found?.get(storedKey(name, keyUses.name, this.#contents.place))) !== absent;
  }

  set(name: K, value: V): void {
    const { key, space } = this;
    const stored = storedKey(name, keyUses.name, this.#contents.place);
    const held = this.#contents.hold(value, key);
    const collection = this.found ?? this.#entries.collection(key, space);
    const entry = collection.get(stored);
    if (entry === undefined) this.#entries.insert(collection, stored, held);
    else this.#entries.write(entry, held);
  }

  update(name: K, change: (value: V | undefined) => V): V {
    const entry = this.found?.get(storedKey(name, keyUses.name, this.#contents.place));
    const held = this.#read(entry);
    const value = change(held instanceof Absent ? undefined : this.#contents.reveal(held));
    // `change` may have created the entry. One that exists stays during the turn.
    if (entry === undefined) this.set(name, value);
    else this.#entries.write(entry, this.#contents.hold(value, this.key));
    return value;
  }

  delete(name: K): boolean {
    const entry = this.found?.get(storedKey(name, keyUses.name, this.#contents.place));
    if (entry === undefined || this.#read(entry) === absent) return false;
    this.#entries.write(entry, absent);
    return true;
  }

  *keys(): Generator<K, void> {
    for (const { name } of this.#present()) yield userKey(name) as K;
  }

  *values(): Generator<V, void> {
    for (const { content } of this.#present()) yield this.#contents.reveal(content as Held<V>);
  }

  *entries(): Generator<[K, V], void> {
    for (const { name, content } of this.#present())
      yield [userKey(name) as K, this.#contents.reveal(content as Held<V>)];
  }

  [Symbol.iterator](): Generator<[K, V], void> {
    return this.entries();
  }

  clear(): void {
    for (const entry of this.#present()) this.#entries.write(entry, absent);
  }

  protected override get place(): StatePlace {
    return this.#contents.place;
  }

  protected override another(): MapHandle<K, V> {
    return new MapHandle(this.#entries, this.#contents);
  }

  protected override find(key: StoredKey, space: Namespace | undefined): Collection<V> | undefined {
    return this.#entries.find(key, space);
  }

  /** What a read of an entry finds. */
  #read(entry: MapEntry<V> | undefined): Held<V> | Absent {
    if (entry === undefined) return absent;
    const { lifetime } = this.#contents;
    return lifetime === undefined ? entry.content : lifetime.read(this.#entries, entry);
  }

  *#present(): Generator<MapEntry<V>, void> {
    const { key } = this;
    for (const entry of this.found?.values() ?? []) {
      if (this.key !== key) return;
      if (this.#read(entry) !== absent) yield entry;
    }
  }
}
