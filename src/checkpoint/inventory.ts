import type { Committable } from '../flow/index.js';
import { CheckpointError } from './errors.js';
import {
  logKey,
  references,
  type Manifest,
  type OperatorState,
  type Pending,
  type RetainedEntry,
  type SavepointOrigin,
} from './manifest.js';

/**
 * What an attempt tracks between two manifests: the committables to carry (rule 5) and the objects to delete
 * eventually (rule 9). Pure and immutable, like the log that owns it.
 *
 * Everything that participants name is tagged with `since`: the first checkpoint whose manifest may carry it or
 * declare it garbage. A committable closed for barrier 8 must not appear in manifest 7, which would publish records
 * that a restore of 7 replays. An object named for barrier 8 must not become garbage in manifest 7, which does not
 * refer to it yet.
 *
 * An object passes through three states: *tracked* (may exist, may be referred to) → *declared* (in the garbage of an
 * issued manifest, never referred to again) → *deleted* (once that manifest is durable and verified).
 */
export interface Inventory {
  readonly pending: readonly Carried[];
  readonly objects: ReadonlyMap<string, number>;
  /** Log entries that may exist. */
  readonly entries: readonly number[];
  /** Keys below the checkpoint directory, log entries included. At most {@link maxGarbage}. */
  readonly declared: readonly string[];
  /** Those of `declared` that are being deleted. */
  readonly deleting: readonly string[];
  /** Objects that a savepoint copies. They are not declared while it does. */
  readonly pinned: ReadonlySet<string>;
}

export interface Carried extends Pending {
  readonly since: number;
  /** It was amended, and its sink publishes no other until a durable entry has it. */
  readonly alone?: boolean;
}

/** A checkpoint that is ready to be written. */
export interface Draft {
  readonly checkpoint: number;
  readonly operators: Readonly<Record<string, OperatorState>>;
  /** The entry is `finished`: see {@link Manifest}. */
  readonly final: boolean;
  /** The folder of the savepoint that is made of this checkpoint. */
  readonly savepoint?: string;
  /** The savepoints that the log begins with. */
  readonly from?: SavepointOrigin;
}

/**
 * The maximum number of names in the garbage of one entry, which bounds its size and takes one delete request. Further
 * names wait for the next entry. Names whose deletion was refused are declared again while there is room; after that
 * they are leftovers, which the next sweep finds.
 */
export const maxGarbage = 1000;

export const emptyInventory: Inventory = {
  pending: [],
  objects: new Map(),
  entries: [],
  declared: [],
  deleting: [],
  pinned: new Set(),
};

/** The inventory of a log that begins with savepoints, whose objects were copied. */
export function adoptedInventory({ operators }: Draft): Inventory {
  const keys = [...references({ operators, pending: [] })];
  return { ...emptyInventory, objects: new Map(keys.map((key) => [key, 0])) };
}

/** A restore seals: files that are open in the parent become pending (rule 7). */
export function inventoryOf(parent: Manifest, entries: readonly number[]): Inventory {
  const pending = [...parent.pending];
  for (const [sink, { open }] of Object.entries(parent.operators)) {
    for (const committable of open) pending.push({ sink, committable });
  }
  const keys = [...references(parent), ...parent.retained.flatMap(({ objects }) => objects)];
  return {
    pending: pending.map((each) => ({ ...each, since: 0 })),
    objects: new Map(keys.map((key) => [key, 0])),
    entries,
    declared: parent.garbage.slice(0, maxGarbage),
    deleting: [],
    pinned: emptyInventory.pinned,
  };
}

/** The parent's content, as repeated by the claim. */
export function sealed(parent: Manifest): Draft {
  const operators = Object.entries(parent.operators).map(
    ([id, state]) => [id, { ...state, open: [] }] as const,
  );
  return {
    checkpoint: parent.checkpoint,
    operators: Object.fromEntries(operators),
    final: parent.finished === true,
  };
}

export function carry(
  inventory: Inventory,
  sink: string,
  closed: readonly Committable[],
  since: number,
): Inventory {
  if (closed.length === 0) return inventory;
  const known = new Set(inventory.pending.map(({ committable }) => committable.uid));
  const added = closed
    .filter(({ uid }) => !known.has(uid))
    .map((committable) => ({ sink, committable, since }));
  return { ...inventory, pending: [...inventory.pending, ...added] };
}

export function confirm(inventory: Inventory, sink: string, uid: string): Inventory {
  const pending = inventory.pending.filter((each) => each.sink !== sink || each.committable.uid !== uid);
  return pending.length === inventory.pending.length ? inventory : { ...inventory, pending };
}

export function amend(
  inventory: Inventory,
  { sink, committable, alone = false }: Pending & { readonly alone?: boolean },
): Inventory {
  const pending = inventory.pending.map((each) =>
    each.sink === sink && each.committable.uid === committable.uid ? { ...each, committable, alone } : each,
  );
  return { ...inventory, pending };
}

/** Tracks objects that exist or are about to be created. Throws `GarbageReferenced`. */
export function track(inventory: Inventory, keys: Iterable<string>, since: number): Inventory {
  const objects = new Map(inventory.objects);
  const declared = new Set(inventory.declared);
  for (const key of keys) {
    if (declared.has(key)) throw referenced(key);
    objects.set(key, Math.max(since, objects.get(key) ?? 0));
  }
  return { ...inventory, objects };
}

export function deleted(inventory: Inventory, keys: readonly string[], failed: readonly string[]): Inventory {
  const gone = new Set(keys);
  const done = new Set([...keys, ...failed]);
  return {
    ...inventory,
    entries: inventory.entries.filter((n) => !gone.has(logKey(n))),
    declared: inventory.declared.filter((key) => !gone.has(key)),
    deleting: inventory.deleting.filter((key) => !done.has(key)),
  };
}

/** Declares the garbage of entry `n`: from now on nothing may refer to it. */
export function declare(
  inventory: Inventory,
  n: number,
  draft: Draft,
  pending: readonly Pending[],
  retained: readonly RetainedEntry[],
): Inventory {
  const needed = references({ operators: draft.operators, pending });
  const kept = new Set(retained.map((entry) => entry.n));
  for (const { objects } of retained) for (const key of objects) needed.add(key);
  for (const key of inventory.declared) if (needed.has(key)) throw referenced(key);
  for (const key of inventory.pinned) needed.add(key);
  const declared = new Set(inventory.declared);
  const busy = new Set(inventory.deleting);
  const fresh: string[] = [];
  const found = (key: string): boolean =>
    fresh.length < maxGarbage - busy.size && !declared.has(key) && fresh.push(key) > 0;
  const objects = new Map(inventory.objects);
  for (const [key, since] of inventory.objects)
    if (since <= draft.checkpoint && !needed.has(key) && found(key)) objects.delete(key);
  for (const entry of inventory.entries) if (entry <= n - 2 && !kept.has(entry)) found(logKey(entry));
  let over = declared.size + fresh.length - maxGarbage;
  const stay = inventory.declared.filter((key) => busy.has(key) || over-- <= 0);
  return { ...inventory, objects, declared: [...stay, ...fresh] };
}

function referenced(key: string): CheckpointError {
  return new CheckpointError(
    'GarbageReferenced',
    `A participant refers to '${key}', which an earlier checkpoint declared garbage because nothing referred to it. Name an object in every checkpoint from its creation to its last use.`,
  );
}
