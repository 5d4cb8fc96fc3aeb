import { absent, type CellContent, type CellPath } from '../../../src/state/cells.js';
import { encodeKey, storedKey, type Key, type StoredKey } from '../../../src/state/keys.js';
import { messagePack } from '../../../src/state/serializer.js';
import type { FrozenCells, LiveState, StateSpec } from '../../../src/state/state.js';
import { FrozenEntries, Generations, type Entry } from '../../../src/state/table.js';

/** A map per key and namespace, for tests: a cell per entry. */
export interface Entries {
  in(namespace: string): Entries;
  get(name: Key): unknown;
  set(name: Key, value: unknown): void;
  delete(name: Key): void;
}

export const entriesState = (): StateSpec<Entries> => ({
  kind: 'test-entries',
  serializer: messagePack,
  open: () => new LiveEntries(),
});

interface Cell extends Entry<unknown> {
  readonly path: CellPath;
}

class Cells extends Generations<unknown, Cell> {
  readonly #cells = new Map<string, Cell>();

  get size(): number {
    return this.#cells.size;
  }

  find(key: StoredKey, path: CellPath): Cell | undefined {
    return this.#cells.get(idOf(key, path));
  }

  insert(key: StoredKey, path: CellPath, content: unknown): void {
    const cell: Cell = { key, path, content, generation: this.generation, older: undefined };
    this.#cells.set(idOf(key, path), cell);
    this.made(cell);
  }

  load(key: StoredKey, path: CellPath, content: unknown): void {
    const cell: Cell = { key, path, content, generation: 0, older: undefined };
    if (content === absent) this.remove(cell);
    else this.#cells.set(idOf(key, path), cell);
  }

  protected override remove({ key, path }: Cell): void {
    this.#cells.delete(idOf(key, path));
  }
}

class LiveEntries implements LiveState<Entries>, Entries {
  readonly cells = new Cells();
  readonly handle = this;
  #key: StoredKey = null;
  #namespace = '';

  get size(): number {
    return this.cells.size;
  }

  at(key: StoredKey): void {
    this.#key = key;
    this.#namespace = '';
  }

  leave(): void {
    this.#key = null;
  }

  remember(): void {
    throw new Error('not needed here');
  }

  undo(): void {
    throw new Error('not needed here');
  }

  in(namespace: string): this {
    this.#namespace = namespace;
    return this;
  }

  get(name: Key): unknown {
    const content = this.cells.find(this.#key, this.#path(name))?.content;
    return content === absent ? undefined : content;
  }

  set(name: Key, value: unknown): void {
    const path = this.#path(name);
    const cell = this.cells.find(this.#key, path);
    if (cell === undefined) this.cells.insert(this.#key, path, value);
    else this.cells.write(cell, value);
  }

  delete(name: Key): void {
    const cell = this.cells.find(this.#key, this.#path(name));
    if (cell !== undefined) this.cells.write(cell, absent);
  }

  freeze(): FrozenCells {
    return new FrozenEntries<unknown, Cell>(
      this.cells,
      (content) => content,
      ({ path }) => path,
    );
  }

  load(key: StoredKey, path: CellPath, content: CellContent): void {
    this.cells.load(key, path, content);
  }

  convert(content: CellContent): CellContent {
    return content;
  }

  #path(name: Key): CellPath {
    return { namespace: Buffer.from(this.#namespace), subKey: encodeKey(storedKey(name)) };
  }
}

/** Length prefixes separate the parts. */
const idOf = (key: StoredKey, { namespace, subKey }: CellPath): string => {
  const parts = [encodeKey(key), namespace, subKey];
  return `${parts.map(({ length }) => length).join()} ${Buffer.concat(parts).toString('latin1')}`;
};
