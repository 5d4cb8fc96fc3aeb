import { checkId } from '../../config/checkId.js';
import { checkFunction, checkOptions, required, type OptionNames } from '../../config/checkOptions.js';
import { deferredInFlow, isDeferred } from '../../flow/deferred.js';
import type { OnUnencodable } from '../../flow/index.js';
import { checkState, keyedStateNames, type Key, type KeyedStateOptions } from '../../state/index.js';

/** Options of every operator by key: the key of a record, and the options of the operator's state. */
export interface ByKeyOptions<A, K extends Key = Key, V = unknown> extends KeyedStateOptions<V> {
  /** The key of a record. Equal keys share state: `1` and `'1'` differ, `{ a, b }` and `{ b, a }` do not. */
  readonly key: (record: A) => K;
  /**
   * Names of states that earlier checkpoints have under this id, and that this operator lacks: for an operator that
   * takes the place of another one. What they hold is dropped; without this, the job fails on start. Default none.
   */
  readonly allowDropped?: readonly string[];
  /**
   * What happens to a record whose key or value cannot be stored (`UnsupportedKey`, `UnsupportedValue`): the job ends,
   * or the record is skipped and changes nothing. To detect it in time, `skip` encodes every value when it is set.
   * Default `'fail'`.
   */
  readonly onUnencodable?: OnUnencodable;
}

/** The names of {@link ByKeyOptions} other than `key`. */
export const byKeyStateNames: OptionNames<Omit<ByKeyOptions<never>, 'key'>> = {
  ...keyedStateNames,
  allowDropped: true,
  onUnencodable: true,
};

/** The names of {@link ByKeyOptions}. */
export const byKeyNames: OptionNames<ByKeyOptions<never>> = { key: true, ...byKeyStateNames };

/**
 * Checks the arguments of an operator by key, as callers may be JavaScript. Errors: `InvalidOption`.
 *
 * @param of the operator's name
 * @param functions the options that must be functions
 */
export function checkByKey<O extends object>(
  of: string,
  id: string,
  options: O,
  names: OptionNames<O>,
  functions: readonly (keyof O & string)[],
): void {
  checkId(`the id of ${of}`, id);
  checkOptions(`${of} '${id}'`, required(`the options of ${of} '${id}'`, options), names);
  for (const name of functions) checkFunction(`${of}('${id}').${name}`, options[name]);
}

/**
 * The options of an operator that are those of its state. Errors: `InvalidOption`, `InvalidState`.
 *
 * @param of for errors: `scanByKey('sums')`
 */
export function stateOptions<V>(
  of: string,
  { serializer, ttl, formerly }: KeyedStateOptions<V>,
): KeyedStateOptions<V> {
  const options = { serializer, ttl, formerly } as KeyedStateOptions<V>;
  checkState(of, options);
  return options;
}

/**
 * A callback that must not be async. Errors: `PromiseInFlow`, `ObservableInFlow`.
 *
 * @param what for errors: `accumulator of scanByKey('sums')`
 */
export function synchronous<P, A, R>(what: string, callback: (before: P, record: A) => R): typeof callback {
  return (before, record) => {
    const result = callback(before, record);
    if (isDeferred(result)) throw deferredInFlow(`${what} returned`, result);
    return result;
  };
}
