import type { StateError } from '../errors.js';
import { checkFit, mismatch } from './mismatches.js';
import { corrupt, type SegmentSchema } from '../segment/format.js';
import type { StateSpec, StateSpecs } from '../state.js';

/**
 * Which stored state each declared state is.
 *
 * Segments know a state by its **id**, which it keeps for its lifetime: usually the name under which it was first
 * declared. So a rename rewrites nothing, and the states of a key have the same order in all segments, which merges
 * require. A snapshot has the name of each id. A dropped state leaves its id behind, without a name: its cells may
 * still be in segments, and a state that is declared under the same name later must not get them.
 */
export interface StateId {
  readonly id: string;
  /** The name in the declaration that wrote the snapshot. Undefined: dropped. */
  readonly name?: string | undefined;
}

/** The declaration of an operator's states. */
export interface Declaration {
  readonly operator: string;
  readonly states: StateSpecs;
  /** Names of states that may be in the snapshot and no longer declared. */
  readonly allowDropped?: readonly string[] | undefined;
}

interface Declared extends StateId {
  readonly name: string;
  readonly spec: StateSpec<unknown>;
}

/** The ids of an operator's states. */
export class StateIds {
  readonly #operator: string;
  /** In the order of their ids, which numbers them in segments. */
  readonly declared: readonly Declared[];
  readonly #dropped: ReadonlySet<string>;

  /**
   * Errors: `StateSchemaMismatch`.
   *
   * @param snapshots the ids in each snapshot to restore
   */
  constructor(declaration: Declaration, snapshots: readonly (readonly StateId[])[] = []) {
    const { operator, states } = declaration;
    const merged = mergedIds(
      operator,
      snapshots.map((snapshot) => current(declaration, snapshot)),
    );
    const names = new Map(merged.map(({ id, name }) => [id, name]));
    const ids = new Map(merged.flatMap(({ id, name }) => (name === undefined ? [] : [[name, id] as const])));
    for (const name of Object.keys(states).sort()) {
      if (ids.has(name)) continue;
      const id = unused(name, names);
      ids.set(name, id);
      names.set(id, name);
    }
    this.#operator = operator;
    this.#dropped = new Set([...names].flatMap(([id, name]) => (name === undefined ? [id] : [])));
    this.declared = Object.entries(states)
      .map(([name, spec]) => ({ name, spec, id: ids.get(name) ?? name }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** All ids, for a snapshot. */
  get all(): readonly StateId[] {
    return [
      ...this.declared.map(({ id, name }) => ({ id, name })),
      ...[...this.#dropped].map((id) => ({ id })),
    ];
  }

  /** The schema of new segments. */
  schema(maxParallelism: number): SegmentSchema {
    return {
      maxParallelism,
      states: this.declared.map(({ id, spec: { kind, serializer, type } }) => ({
        id,
        kind,
        serializer: { id: serializer.id, version: serializer.version },
        type,
      })),
    };
  }

  /**
   * Maps the state indices of a segment to those of {@link declared}, or to -1 for dropped states. Errors:
   * `StateSchemaMismatch`, `SegmentCorrupt`.
   */
  resolve(object: string, { states }: SegmentSchema): readonly number[] {
    let before = '';
    return states.map((stored) => {
      // Otherwise a merge would put an old value after a new one.
      if (stored.id < before) throw corrupt(object, 'its states are not in the order of their ids');
      before = stored.id;
      if (this.#dropped.has(stored.id)) return -1;
      const at = this.declared.findIndex(({ id }) => id === stored.id);
      const declared = this.declared[at];
      if (declared === undefined) throw corrupt(object, `it has a state that its checkpoint has not`);
      checkFit(this.#operator, declared, stored);
      return at;
    });
  }
}

/** The ids in any of several snapshots. Errors: `StateSchemaMismatch` if they disagree. */
export function mergedIds(operator: string, snapshots: readonly (readonly StateId[])[]): readonly StateId[] {
  const names = new Map<string, string | undefined>();
  for (const { id, name } of snapshots.flat()) {
    if (names.has(id) && names.get(id) !== name) throw disagreement(operator, id);
    names.set(id, name);
  }
  const seen = new Set<string>();
  for (const name of names.values()) {
    if (name === undefined) continue;
    if (seen.has(name)) throw disagreement(operator, name);
    seen.add(name);
  }
  return [...names].map(([id, name]) => (name === undefined ? { id } : { id, name }));
}

/** The ids of a snapshot with the names of the declaration. */
function current(
  { operator, states, allowDropped = [] }: Declaration,
  snapshot: readonly StateId[],
): readonly StateId[] {
  const ids = new Map(snapshot.map(({ id, name }) => [name, id]));
  const names = new Map<string, string>();
  for (const [name, { formerly }] of Object.entries(states)) {
    const before = formerly === undefined || Object.hasOwn(states, formerly) ? undefined : formerly;
    const id = ids.get(name) ?? (before === undefined ? undefined : ids.get(before));
    if (id !== undefined) names.set(id, name);
  }
  return snapshot.map(({ id, name }) => {
    const now = names.get(id);
    if (now === undefined && name !== undefined && !allowDropped.includes(name)) {
      throw mismatch(
        operator,
        `state ${name} is in the checkpoint but no longer declared. Declare it again; or, if it has another name now, give that one \`formerly: '${name}'\`; or drop what it holds with \`allowDropped: ['${name}']\`.`,
      );
    }
    return { id, name: now };
  });
}

const disagreement = (operator: string, state: string): StateError =>
  mismatch(
    operator,
    `the checkpoints disagree about state ${state}: it was renamed, or dropped and declared again, in some of them. Run each job with one declaration of states, and make its savepoint again.`,
  );

/** The name, with a number if an earlier state has it as its id. */
function unused(name: string, ids: ReadonlyMap<string, unknown>): string {
  let id = name;
  for (let n = 2; ids.has(id); n++) id = `${name}#${n}`;
  return id;
}
