import fc from 'fast-check';
import { comparePaths, type CellPath } from '../../../src/state/cells.js';
import { compareKeys, storedKey, type StoredKey } from '../../../src/state/keys/keys.js';
import { TieSort, type HashedCells } from '../../../src/state/runs/tieSort.js';

interface Cell {
  readonly key: StoredKey;
  readonly state: number;
  readonly path: CellPath;
}

const bytes = fc.uint8Array({ maxLength: 3, max: 2 });
const cell: fc.Arbitrary<Cell> = fc.record({
  key: fc.constantFrom<StoredKey>('a', 'b', 1, storedKey(['a', 1]), storedKey(['a', 2])),
  state: fc.nat(300),
  path: fc.record({ namespace: bytes, subKey: bytes }),
});

const compare = (a: Cell, b: Cell): number =>
  compareKeys(a.key, b.key) || a.state - b.state || comparePaths(a.path, b.path);

/** Cells that all have the same hash, and counts of what was read of them. */
class Counted implements HashedCells {
  paths = 0;
  constructor(
    readonly cells: readonly Cell[],
    /** The place of the first one. */
    readonly first = 0,
  ) {}

  readonly tied = (place: number): boolean => place + 1 < this.first + this.cells.length;
  readonly key = (place: number): StoredKey => this.at(place).key;
  readonly state = (place: number): number => this.at(place).state;
  readonly path = (place: number): CellPath => {
    this.paths++;
    return this.at(place).path;
  };

  at(place: number): Cell {
    return this.cells[place - this.first]!;
  }
}

test('cells are sorted by key, state, namespace and sub-key, for any step size', () => {
  fc.assert(
    fc.property(
      fc.array(cell, { minLength: 1, maxLength: 60 }),
      fc.nat(9),
      fc.integer({ min: 1, max: 70 }),
      (cells, first, slice) => {
        const counted = new Counted(cells, first);
        const ties = new TieSort(counted, first);
        while (ties.step(slice));
        expect(ties.end).toBe(first + cells.length);
        const found = cells.map((_, i) => counted.at(ties.sorted(first + i)));
        expect(found).toEqual(cells.toSorted(compare));
      },
    ),
  );
});

test('the work of a step is bounded: each address is encoded once, and each pass moves each cell once', () => {
  const count = 1000;
  const slice = 64;
  const cells = Array.from({ length: count }, (_, i) => {
    const subKey = Buffer.alloc(4);
    subKey.writeUInt32BE((i * 7919) % count);
    return { key: 'k', state: 0, path: { namespace: new Uint8Array(0), subKey } };
  });
  const counted = new Counted(cells);
  const ties = new TieSort(counted, 0);
  let steps = 0;
  for (let more = true; more; steps++) {
    const before = counted.paths;
    more = ties.step(slice);
    expect(counted.paths - before).toBeLessThanOrEqual(slice);
  }
  expect(counted.paths).toBe(count);
  const passes = 1 + Math.ceil(Math.log2(count));
  expect(steps).toBe(Math.ceil((passes * count) / slice));
});
