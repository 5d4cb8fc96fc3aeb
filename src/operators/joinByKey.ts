import { isObservable, map } from 'rxjs';
import type { OptionNames } from '../config/checkOptions.js';
import { InvalidOption } from '../config/units.js';
import type { Flow, FlowOperator } from '../flow/index.js';
import {
  listState,
  type Key,
  type KeyedStateOptions,
  type Serializer,
  type TtlOptions,
} from '../state/index.js';
import { byKeyNames, checkByKey, stateOptions, type ByKeyOptions } from './keyed/byKeyOptions.js';
import { keyedRecords } from './keyed/keyedRecords.js';
import { mergeFlows } from './mergeFlows.js';
import { records } from './records.js';

/** Options of {@link joinByKey}. */
export interface JoinByKeyOptions<A, B> extends ByKeyOptions<A, Key, A> {
  /** The key of a record of the other flow. */
  readonly otherKey: (record: B) => Key;
  /** How long a record waits for others to be joined with. Default: as long as the job exists. */
  readonly ttl?: TtlOptions;
  /** How records of the other flow are stored; `serializer` is for those of this one. */
  readonly otherSerializer?: Serializer<B>;
  /** As `formerly`, for the state with the records of the other flow. */
  readonly otherFormerly?: string;
}

/**
 * Joins the records of two flows of a job by key: emits each pair with equal keys once, when its second record
 * arrives.
 *
 * An inner join. The flows are merged by `mergeFlows`. The state is **every record of both flows**: it grows as long as
 * the job runs, and all records of one key and flow must fit in 64 MiB. Join flows that end, or set `ttl`. Records must
 * be storable, as values of `valueState`, and are frozen.
 *
 * ```
 * in:     O-1---3------E-|
 * other:  O---3---5-2--E-|
 *         joinByKey('parities', other, { key: (n) => n % 2, otherKey: (n) => n % 2 })
 * out:    O---p-q-(rs)-E-|    p = [1, 3], q = [3, 3], r = [1, 5], s = [3, 5]
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption`, `InvalidState` immediately; those of `keyed` on start;
 * `UnsupportedKey`, `UnsupportedValue`, `TooManyKeys`, `PromiseInFlow`, `ObservableInFlow` while running; those of
 * `mergeFlows`.
 *
 * @example
 * ```ts
 * const users = job.source('users', files('memory://lake/users', { format: ndjson<{ name: string; country: string }>() }));
 * const withCountry = visits.pipe(
 *   joinByKey('country', users, { key: (v) => v.user, otherKey: (u) => u.name }),
 *   records(map(([visit, { country }]) => ({ ...visit, country }))),
 * );
 * ```
 */
export function joinByKey<A, B>(
  id: string,
  other: Flow<B>,
  options: JoinByKeyOptions<A, B>,
): FlowOperator<A, readonly [A, B]> {
  checkByKey('joinByKey', id, options, names, ['key', 'otherKey']);
  if (!isObservable(other)) throw new InvalidOption(`the other flow of joinByKey('${id}')`, other, 'a flow');
  const of = `joinByKey('${id}')`;
  const { key, otherKey, ttl, otherSerializer, otherFormerly, allowDropped, onUnencodable } = options;
  const others = { ttl, serializer: otherSerializer, formerly: otherFormerly } as KeyedStateOptions<B>;
  const join = keyedRecords({
    name: 'joinByKey',
    id,
    key: (side: Side<A, B>) => ('left' in side ? key(side.left) : otherKey(side.right)),
    state: {
      lefts: listState<A>(stateOptions(of, options)),
      rights: listState<B>(stateOptions(of, others)),
    },
    allowDropped,
    onUnencodable,
    onRecord: (side, { lefts, rights }): (readonly [A, B])[] => {
      if ('left' in side) {
        lefts.append(side.left);
        return Array.from(rights, (right) => [side.left, right]);
      }
      rights.append(side.right);
      return Array.from(lefts, (left) => [left, side.right]);
    },
  });
  const lefts = records(map((left: A): Side<A, B> => ({ left })));
  const rights = records(map((right: B): Side<A, B> => ({ right })));
  return (flow) => mergeFlows(flow.pipe(lefts), other.pipe(rights)).pipe(join);
}

const names: OptionNames<JoinByKeyOptions<never, never>> = {
  ...byKeyNames,
  otherKey: true,
  otherSerializer: true,
  otherFormerly: true,
};

/** A record with the flow that it comes from. */
type Side<A, B> = { readonly left: A } | { readonly right: B };
