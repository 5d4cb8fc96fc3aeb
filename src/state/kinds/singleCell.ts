import { absent, type Absent, type CellContent, type CellPath } from '../cells.js';
import { Namespace } from '../keys/keyMap.js';
import type { Key, StoredKey } from '../keys/keys.js';
import type { Encoded } from '../values/serializer.js';
import type { FrozenCells, LiveState, Sweeper } from '../state.js';
import { Timed } from '../values/timed.js';
import { FrozenEntries, Table, tablePath, type Entry } from './table.js';
import { Contents, type ContentsOptions, type Held } from './contents.js';
import { outsideTurn } from './handle.js';
import { Sweep } from './ttl.js';

/** What the handles of one state share. */
export interface Shared<T> {
  readonly table: Table<Held<T>>;
  readonly contents: Contents<T>;
}

/**
 * The base of kinds with one cell per key and namespace. A subclass is the live state and the handle at once, so that
 * a turn takes few calls; for a namespace, {@link in} creates another handle on the same table.
 */
export abstract class SingleCell<T, H> implements LiveState<H> {
  readonly #table: Table<Held<T>>;
  readonly #contents: Contents<T>;
  #space: Namespace | undefined;
  /** The entry of the current key, if it has one. */
  #entry: Entry<Held<T>> | undefined;
  /** The current key if it has no entry. Both are undefined outside a turn. */
  #key: StoredKey | undefined;
  /** Handles of namespaces that were created in this turn. */
  #inSpaces: SingleCell<T, H>[] | undefined;

  constructor({ table, contents }: Shared<T>) {
    this.#table = table;
    this.#contents = contents;
  }

  abstract readonly handle: H;

  /** Another handle of the same kind. */
  protected abstract another(shared: Shared<T>): SingleCell<T, H>;

  get table(): Table<Held<T>> {
    return this.#table;
  }

  get size(): number {
    return this.#table.size;
  }

  // The fewer instructions a turn takes, the more its lookup overlaps with that of the next record in the CPU. So the
  // key is looked up immediately, and kept only if it has no entry.
  at(key: StoredKey): void {
    const entry = this.#table.find(key);
    if (entry === undefined) this.#unknown(key);
    else this.#entry = entry;
  }

  in(namespace: Key): H {
    const key = this.#current();
    const { contents } = this;
    const handle = this.another({ table: this.#table, contents });
    handle.#enter(key, Namespace.of(namespace, contents.place));
    (this.#inSpaces ??= []).push(handle);
    return handle.handle;
  }

  leave(): void {
    this.#entry = undefined;
    this.#key = undefined;
    if (this.#inSpaces !== undefined) this.#leaveSpaces();
  }

  remember(): void {
    this.#table.remember();
  }

  forget(): void {
    this.#table.forget();
  }

  undo(): void {
    this.#table.undo();
  }

  clear(): void {
    const entry = this.#entry ?? this.#sought();
    if (entry !== undefined && entry.content !== absent) this.#table.write(entry, absent);
  }

  freeze(): FrozenCells {
    return new FrozenEntries(this.#table, this.#contents.encode, tablePath);
  }

  load(key: StoredKey, { namespace, subKey }: CellPath, content: CellContent, version: number): void {
    if (subKey.length > 0) throw new RangeError('it is the only cell of its key and namespace');
    const held = content === absent ? absent : this.#contents.decode(content, version);
    const over = held instanceof Timed && this.#contents.lifetime?.isOver(held) === true;
    this.#table.load(key, over ? absent : held, Namespace.at(namespace));
  }

  convert(content: CellContent, version: number): CellContent {
    return this.#contents.convert(content, version);
  }

  unexpired(content: CellContent): CellContent {
    return this.#contents.unexpired(content);
  }

  sweeper(): Sweeper | undefined {
    const { lifetime } = this.#contents;
    const table = this.#table;
    return (
      lifetime &&
      new Sweep(
        () => table.entries(),
        (entry) => {
          lifetime.sweep(table, entry);
        },
      )
    );
  }

  protected get contents(): Contents<T> {
    return this.#contents;
  }

  /** What the key holds. Errors: `StateOutsideTurn`. */
  protected get held(): T | Encoded | Absent {
    const entry = this.#entry ?? this.#sought();
    if (entry === undefined) return absent;
    return entry.content instanceof Timed ? this.#timed(entry) : entry.content;
  }

  /** Errors: `StateOutsideTurn`, `UnsupportedValue`. */
  protected put(value: T): void {
    const entry = this.#entry ?? this.#sought();
    if (entry === undefined) this.#insert(value);
    else this.#table.write(entry, this.#contents.hold(value, entry.key));
  }

  #timed(entry: Entry<Held<T>>): T | Encoded | Absent {
    const found = this.#contents.lifetime?.read(this.#table, entry) ?? entry.content;
    return found instanceof Timed ? found.value : found;
  }

  #insert(value: T): void {
    const key = this.#current();
    this.#entry = this.#table.insert(key, this.#contents.hold(value, key), this.#space);
  }

  #unknown(key: StoredKey): void {
    this.#key = key;
    this.#entry = undefined;
  }

  #enter(key: StoredKey, space: Namespace): void {
    this.#space = space;
    this.#key = key;
    this.#entry = this.#table.find(key, space);
  }

  #leaveSpaces(): void {
    for (const handle of this.#inSpaces ?? []) handle.leave();
    this.#inSpaces = undefined;
  }

  /** Another handle of the namespace may have created the entry in the meantime. Errors: `StateOutsideTurn`. */
  #sought(): Entry<Held<T>> | undefined {
    const key = this.#current();
    if (this.#space !== undefined) this.#entry = this.#table.find(key, this.#space);
    return this.#entry;
  }

  #current(): StoredKey {
    const key = this.#entry === undefined ? this.#key : this.#entry.key;
    if (key === undefined) throw outsideTurn(this.#contents.place.state);
    return key;
  }
}

export function shared<T>(of: ContentsOptions<T>): Shared<T> {
  return { table: new Table(), contents: new Contents(of) };
}
