import { absent, noPath, Operand, type CellContent, type CellPath } from '../../../src/state/cells.js';
import { encodeKey, type StoredKey } from '../../../src/state/keys.js';
import { messagePack } from '../../../src/state/serializer.js';
import type { FrozenCells, LiveState, StateSpec } from '../../../src/state/state.js';

/** A list per key, for tests: what is appended between two barriers is one operand. */
export interface Appends {
  readonly items: readonly unknown[];
  append(item: unknown): void;
  clear(): void;
}

export const appendsState = (): StateSpec<Appends> => ({
  kind: 'test-appends',
  serializer: messagePack,
  open: () => new LiveAppends(),
});

interface List {
  readonly key: StoredKey;
  items: unknown[];
}

/** What one generation did to a list: whether it began anew, and what it appended. */
interface Change {
  readonly anew: boolean;
  readonly items: unknown[];
}

type Changes = Map<List, Change>;

class LiveAppends implements LiveState<Appends>, Appends {
  readonly handle = this;
  readonly #lists = new Map<string, List>();
  /** By generation not stored yet, the current one last. */
  readonly #generations: Changes[] = [new Map<List, Change>()];
  #key: StoredKey = null;

  get size(): number {
    return this.#lists.size;
  }

  at(key: StoredKey): void {
    this.#key = key;
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

  get items(): readonly unknown[] {
    return this.#list(this.#key).items;
  }

  append(item: unknown): void {
    const list = this.#list(this.#key);
    list.items.push(item);
    this.#change(list, { anew: false, items: [item] });
  }

  clear(): void {
    const list = this.#list(this.#key);
    list.items = [];
    this.#change(list, { anew: true, items: [] });
  }

  freeze(): FrozenCells {
    const changes = this.#now;
    this.#generations.push(new Map());
    let read: (readonly [List, Change])[] | undefined;
    const at = (cell: number): readonly [List, Change] => (read ??= [...changes])[cell]!;
    return {
      get size() {
        return changes.size;
      },
      key: (cell) => at(cell)[0].key,
      path: () => noPath,
      read: (cell) => at(cell)[1],
      encode: (change) => {
        const { anew, items } = change as Change;
        if (!anew) return new Operand(items);
        return items.length === 0 ? absent : items;
      },
      stored: () => {
        this.#generations.shift();
      },
      giveBack: () => {
        this.#generations.shift();
        const next = this.#generations[0]!;
        for (const [list, change] of changes) {
          const newer = next.get(list);
          next.set(list, newer === undefined ? change : then(change, newer));
        }
      },
    };
  }

  load(key: StoredKey, _path: CellPath, content: CellContent): void {
    const list = this.#list(key);
    if (content === absent) list.items = [];
    else if (content instanceof Operand) list.items.push(...(content.value as unknown[]));
    else list.items = [...(content as unknown[])];
  }

  convert(content: CellContent): CellContent {
    return content;
  }

  fold(older: CellContent, { value }: Operand): CellContent {
    const items = value as unknown[];
    if (older instanceof Operand) return new Operand([...(older.value as unknown[]), ...items]);
    return older === absent ? items : [...(older as unknown[]), ...items];
  }

  get #now(): Changes {
    return this.#generations.at(-1)!;
  }

  #change(list: List, change: Change): void {
    const before = this.#now.get(list);
    if (before === undefined || change.anew) this.#now.set(list, change);
    else before.items.push(...change.items);
  }

  #list(key: StoredKey): List {
    const id = Buffer.from(encodeKey(key)).toString('hex');
    let list = this.#lists.get(id);
    if (list === undefined) this.#lists.set(id, (list = { key, items: [] }));
    return list;
  }
}

function then(first: Change, second: Change): Change {
  return second.anew ? second : { anew: first.anew, items: [...first.items, ...second.items] };
}
