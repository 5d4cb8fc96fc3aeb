import type { CellContent, CellPath } from '../cells.js';
import type { StoredKey } from '../keys/keys.js';
import type { FrozenCells, LiveState, Sweeper } from '../state.js';
import type { Entry, Generations } from './table.js';
import type { Contents } from './contents.js';
import type { Handle } from './handle.js';
import { Sweep, type Lifetime } from './ttl.js';

/** All entries of a state. */
export type Entries<C, E extends Entry<C>> = Generations<C, E> & {
  readonly size: number;
  /** In no particular order. They may be changed meanwhile. */
  entries(): Iterable<E>;
};

/** The base of kinds with a collection per key and namespace. */
export abstract class LiveCollection<
  T,
  H extends Handle<H, unknown>,
  C,
  E extends Entry<C>,
> implements LiveState<H> {
  readonly handle: H;
  protected abstract readonly entries: Entries<C, E>;
  protected readonly contents: Contents<T>;

  constructor(handle: H, contents: Contents<T>) {
    this.handle = handle;
    this.contents = contents;
  }

  abstract freeze(): FrozenCells;
  abstract load(key: StoredKey, path: CellPath, content: CellContent, version: number): void;
  abstract convert(content: CellContent, version: number): CellContent;

  /** Removes what has expired of an entry. */
  protected abstract sweep(entry: E, lifetime: Lifetime): void;

  get size(): number {
    return this.entries.size;
  }

  at(key: StoredKey): void {
    this.handle.enter(key);
  }

  leave(): void {
    this.handle.leave();
  }

  remember(): void {
    this.entries.remember();
  }

  undo(): void {
    this.entries.undo();
  }

  forget(): void {
    this.entries.forget();
  }

  sweeper(): Sweeper | undefined {
    const { lifetime } = this.contents;
    if (lifetime === undefined) return undefined;
    return new Sweep(
      () => this.entries.entries(),
      (entry: E) => {
        this.sweep(entry, lifetime);
      },
    );
  }
}
