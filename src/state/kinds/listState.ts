import { absent, Absent, Operand, type CellContent, type CellPath } from '../cells.js';
import { Namespace } from '../keys/keyMap.js';
import type { Key, StoredKey } from '../keys/keys.js';
import { Encoded } from '../values/serializer.js';
import type { StatePlace } from '../errors.js';
import type { FrozenCells, StateSpec } from '../state.js';
import { FrozenEntries, tablePath, type Entry } from './table.js';
import { Timed } from '../values/timed.js';
import { Contents, type Held } from './contents.js';
import { Handle } from './handle.js';
import { expiredIn, Lists, notBefore, only, trim, type Version } from './lists.js';
import { LiveCollection } from './liveCollection.js';
import { checkState, type KeyedStateOptions } from './options.js';
import { type Lifetime } from './ttl.js';

/**
 * A list per key. Usable only during the turn of its record.
 *
 * A checkpoint stores what was appended since the last one. Elements are isolated as those of `ValueState` are. An
 * iteration sees the elements that the list had when it began.
 */
export interface ListState<T> extends Iterable<T> {
  readonly length: number;
  /** The element at an index, from the end if it is negative; `undefined` if there is none. */
  at(index: number): T | undefined;
  /** Appends elements. Costs what it appends. Errors: as `ValueState.set`. */
  append(...elements: readonly T[]): void;
  /** Replaces all elements. The whole list is in the next checkpoint. Errors: as `ValueState.set`. */
  set(elements: Iterable<T>): void;
  /** Removes all elements. */
  clear(): void;
  /** A copy. */
  toArray(): T[];
  /** The list of the record's key in a namespace, such as a window. Errors: `UnsupportedKey`. */
  in(namespace: Key): ListState<T>;
}

/**
 * Declares a state with a list per key. The serializer of the options is that of single elements.
 *
 * @example
 * ```ts
 * keyed('last-ten', {
 *   key: (v: Visit) => v.user,
 *   state: { pages: listState<string>() },
 *   onRecord: (v, { pages }) => {
 *     pages.append(v.page);
 *     return pages.length < 10 ? [] : [{ user: v.user, pages: pages.toArray() }];
 *   },
 * });
 * ```
 *
 * All elements of one key and namespace are one entry of a segment, which is limited to 64 MiB: for longer
 * collections, use `mapState`. Errors: `InvalidOption`, `InvalidState`.
 */
export function listState<T>(options: KeyedStateOptions<T> = {}): StateSpec<ListState<T>> {
  const { serializer, ttl, formerly } = checkState('listState', options);
  return {
    kind: 'list',
    serializer,
    formerly,
    singleCell: true,
    open: (name, home) => new LiveListState(new Contents({ name, serializer, home, ttl })),
    contents: (list) => (list.length === 0 ? undefined : list.toArray()),
  };
}

class LiveListState<T> extends LiveCollection<T, ListHandle<T>, Version<T>, Entry<Version<T>>> {
  protected override readonly entries: Lists<T>;

  constructor(contents: Contents<T>, lists = new Lists<T>()) {
    super(new ListHandle(lists, contents), contents);
    this.entries = lists;
  }

  freeze(): FrozenCells {
    return new FrozenEntries<Version<T>>(this.entries, this.#encode, tablePath);
  }

  load(key: StoredKey, { namespace, subKey }: CellPath, content: CellContent, written: number): void {
    if (subKey.length > 0) throw new RangeError('a list is the only cell of its key and namespace');
    const space = Namespace.at(namespace);
    if (content === absent) {
      this.entries.load(key, absent, space);
      return;
    }
    const loaded = this.#decode(content instanceof Operand ? content.value : content, written);
    const older = content instanceof Operand ? this.entries.find(key, space)?.content : undefined;
    const elements = older === undefined ? [] : (older as Version<T>).elements;
    for (const element of loaded) elements.push(notBefore(elements.at(-1), element));
    const { lifetime } = this.contents;
    if (lifetime !== undefined) elements.splice(0, expiredIn({ elements, to: elements.length }, lifetime));
    const to = elements.length;
    this.entries.load(key, to === 0 ? absent : { elements, from: to, replaced: false, to }, space);
  }

  convert(content: CellContent, version: number): CellContent {
    const contents = this.contents;
    const convert = (stored: unknown): unknown[] =>
      elementsOf(stored).map((element) => bare(contents.convert(encodedIn(element), version)));
    if (contents.isCurrent(version)) return content;
    return content instanceof Operand ? new Operand(convert(content.value)) : convert(content);
  }

  fold(older: CellContent, operand: Operand): CellContent {
    const added = elementsOf(operand.value);
    if (older === absent) return added;
    if (older instanceof Operand) return new Operand([...elementsOf(older.value), ...added]);
    return [...elementsOf(older), ...added];
  }

  unexpired(content: CellContent): CellContent {
    if (this.contents.lifetime === undefined || content === absent) return content;
    const elements = elementsOf(content);
    const left = elements.filter((element) => this.contents.unexpired(element) !== absent);
    if (left.length === 0) return absent;
    return left.length === elements.length ? content : left;
  }

  protected override sweep(entry: Entry<Version<T>>, lifetime: Lifetime): void {
    trim(this.entries, entry, lifetime);
  }

  readonly #encode = (content: unknown, key?: StoredKey, path?: CellPath): CellContent => {
    if (content === absent) return absent;
    const { elements, from, replaced, to } = content as Version<T>;
    const stored = elements.slice(from, to).map((element) => this.#stored(element, key, path));
    return replaced ? stored : new Operand(stored);
  };

  /** An element in the form of segments. */
  readonly #stored = (element: Held<T>, key?: StoredKey, path?: CellPath): unknown =>
    bare(this.contents.encode(element, key, path));

  #decode(stored: unknown, version: number): Held<T>[] {
    return elementsOf(stored).map((element) => this.contents.decode(encodedIn(element), version));
  }
}

/** Bytes in a list mean an encoded element: binary data of users is always encoded. */
const bare = (stored: CellContent): unknown => (stored instanceof Encoded ? stored.bytes : stored);
const encodedIn = (element: unknown): CellContent =>
  element instanceof Uint8Array ? new Encoded(element) : element;

/** Throws `RangeError` if it is not a list. */
function elementsOf(stored: unknown): readonly unknown[] {
  if (!Array.isArray(stored)) throw new RangeError('a list was expected');
  return stored as unknown[];
}

class ListHandle<T> extends Handle<ListHandle<T>, Entry<Version<T>>> implements ListState<T> {
  readonly #lists: Lists<T>;
  readonly #contents: Contents<T>;

  constructor(lists: Lists<T>, contents: Contents<T>) {
    super();
    this.#lists = lists;
    this.#contents = contents;
  }

  get length(): number {
    const list = this.#list;
    return list === undefined ? 0 : list.to - this.#start(list);
  }

  at(index: number): T | undefined {
    const list = this.#list;
    if (list === undefined) return undefined;
    const { elements, to } = list;
    const start = this.#start(list);
    const from = Math.trunc(index) || 0;
    const at = from < 0 ? to + from : start + from;
    if (at < start || at >= to) return undefined;
    return this.#contents.reveal(elements[at] as Held<T>);
  }

  append(...added: readonly T[]): void {
    const { key } = this;
    if (added.length === 1) {
      this.#append(this.#contents.hold(added[0] as T, key));
      return;
    }
    // All or none of them.
    const held = added.map((element) => this.#contents.hold(element, key));
    for (const element of held) this.#append(element);
  }

  set(elements: Iterable<T>): void {
    const { key } = this;
    const held = Array.from(elements, (element) => this.#contents.hold(element, key));
    this.clear();
    for (const element of held) this.#append(element);
  }

  clear(): void {
    const entry = this.found;
    if (entry !== undefined && entry.content !== absent) this.#lists.write(entry, absent);
  }

  toArray(): T[] {
    return [...this];
  }

  *[Symbol.iterator](): Generator<T, void> {
    const list = this.#list;
    if (list === undefined) return;
    const { elements, to } = list;
    const { key } = this;
    for (let i = this.#start(list); i < to; i++) {
      if (this.key !== key) return;
      yield this.#contents.reveal(elements[i] as Held<T>);
    }
  }

  protected override get place(): StatePlace {
    return this.#contents.place;
  }

  protected override another(): ListHandle<T> {
    return new ListHandle(this.#lists, this.#contents);
  }

  protected override find(key: StoredKey, space: Namespace | undefined): Entry<Version<T>> | undefined {
    return this.#lists.find(key, space);
  }

  get #list(): Version<T> | undefined {
    const entry = this.found;
    if (entry === undefined) return undefined;
    if (this.#contents.lifetime !== undefined) this.#age(entry, this.#contents.lifetime);
    return entry.content instanceof Absent ? undefined : entry.content;
  }

  /** The first element that is not hidden. */
  #start(list: Version<T>): number {
    const { lifetime } = this.#contents;
    return lifetime?.hides === true ? expiredIn(list, lifetime) : 0;
  }

  /** Removes elements that have expired, and renews the others if reads do so. */
  #age(entry: Entry<Version<T>>, lifetime: Lifetime): void {
    const lists = this.#lists;
    if (lifetime.hides) trim(lists, entry, lifetime);
    const { content } = entry;
    if (content instanceof Absent) return;
    const expired = expiredIn(content, lifetime);
    const { elements, to } = content;
    // The first of them is the one read longest ago.
    if (expired === to || !lifetime.isRenewed(elements[expired] as Timed)) return;
    const { now } = lifetime;
    const renewed = elements.slice(expired, to).map((element) => new Timed(now, (element as Timed<T>).value));
    lists.replace(entry, lifetime.hides ? renewed : [...elements.slice(0, expired), ...renewed]);
  }

  #append(element: Held<T>): void {
    const entry = this.found;
    if (entry === undefined) this.#lists.insert(this.key, only(element), this.space);
    else if (entry.content === absent) this.#lists.write(entry, only(element));
    else this.#lists.append(entry, entry.content as Version<T>, element);
  }
}
