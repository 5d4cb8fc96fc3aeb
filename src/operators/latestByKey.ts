import { isDeepStrictEqual } from 'node:util';
import type { FlowOperator } from '../flow/index.js';
import { valueState, type Key, type KeyedStateOptions, type Serializer } from '../state/index.js';
import {
  byKeyNames,
  checkByKey,
  stateOptions,
  synchronous,
  type ByKeyOptions,
} from './keyed/byKeyOptions.js';
import { keyedRecords } from './keyed/keyedRecords.js';

/** Options of {@link latestByKey}. */
export interface LatestByKeyOptions<A> extends ByKeyOptions<A, Key, A> {
  /**
   * Whether two records of a key are the same. Compare contents: after a restart, `previous` is another object than
   * the one that was emitted.
   */
  readonly comparator: (previous: A, current: A) => boolean;
}

/**
 * Emits the first record of each key, and each record that differs from the last one emitted for its key.
 *
 * Like RxJS `distinctUntilChanged` for each key, and restored after a crash. The state is the last record emitted for
 * each key, so records must be storable, as values of `valueState`, and are frozen when they are emitted.
 *
 * ```
 * in:   O-1-1-3-3-2--E-|
 *       latestByKey('changes', { key: (n) => n % 2, comparator: (previous, current) => previous === current })
 * out:  O-1---3---2--E-|
 * ```
 *
 * `id` names the state in checkpoints. Errors: `InvalidOption`, `InvalidState` immediately; those of `keyed` on start;
 * `UnsupportedKey`, `UnsupportedValue`, `TooManyKeys`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const changes = visits.pipe(
 *   latestByKey('kind', { key: (v) => v.user, comparator: (previous, current) => previous.kind === current.kind }),
 * );
 * ```
 */
export function latestByKey<A>(id: string, options: LatestByKeyOptions<A>): FlowOperator<A, A> {
  checkByKey('latestByKey', id, options, { ...byKeyNames, comparator: true }, ['key', 'comparator']);
  const of = `latestByKey('${id}')`;
  const { key, allowDropped, onUnencodable } = options;
  const comparator = synchronous(`comparator of ${of}`, options.comparator);
  return keyedRecords({
    name: 'latestByKey',
    id,
    key,
    state: { latest: valueState<readonly A[]>([], inArray(stateOptions(of, options))) },
    allowDropped,
    onUnencodable,
    onRecord: (record: A, { latest }) => {
      const previous = latest.value;
      if (previous.length > 0 && comparator(previous[0] as A, record)) return [];
      latest.set([record]);
      return [record];
    },
  });
}

/** The state is the record in an array, as a record may be undefined. */
function inArray<A>({ serializer, ...others }: KeyedStateOptions<A>): KeyedStateOptions<readonly A[]> {
  if (serializer === undefined) return others;
  const { id, version } = serializer;
  const wrapped: Serializer<readonly A[]> = {
    id,
    version,
    encode: ([record]) => serializer.encode(record as A),
    decode: (bytes, written) => [serializer.decode(bytes, written)],
    equals: ([decoded], [record]) =>
      serializer.equals?.(decoded as A, record as A) ?? isDeepStrictEqual(decoded, record),
  };
  return { ...others, serializer: wrapped };
}
