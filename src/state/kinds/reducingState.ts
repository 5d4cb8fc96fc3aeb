import { checkFunction } from '../../config/checkOptions.js';
import { absent } from '../cells.js';
import type { Key } from '../keys/keys.js';
import type { Encoded } from '../values/serializer.js';
import type { StateSpec } from '../state.js';
import { checkState, type KeyedStateOptions } from './options.js';
import { shared, SingleCell, type Shared } from './singleCell.js';

/** One value per key, into which others are reduced. Usable only during the turn of its record. */
export interface ReducingState<T> {
  /** What was added, reduced to one value; `undefined` if nothing was. */
  readonly value: T | undefined;
  /** Reduces `value` into the state, and returns the result. Errors: as `ValueState.set`. */
  add(value: T): T;
  /** Removes the value. */
  clear(): void;
  /** The value of the record's key in a namespace, such as a window. Errors: `UnsupportedKey`. */
  in(namespace: Key): ReducingState<T>;
}

/**
 * Declares a state with one value per key, the reduction of the values that were added. `reduce` must return a new
 * value instead of changing one of its arguments.
 *
 * @example
 * ```ts
 * keyed('highest', {
 *   key: (bid: Bid) => bid.item,
 *   state: { highest: reducingState((a: number, b: number) => Math.max(a, b)) },
 *   onRecord: ({ item, price }, { highest }) => [{ item, price: highest.add(price) }],
 * });
 * ```
 *
 * Errors: `InvalidOption`, `InvalidState`.
 */
export function reducingState<T>(
  reduce: (sum: T, value: T) => T,
  options: KeyedStateOptions<T> = {},
): StateSpec<ReducingState<T>> {
  checkFunction('reduce of reducingState', reduce);
  const { serializer, ttl, formerly } = checkState('reducingState', options);
  return {
    kind: 'reducing',
    serializer,
    formerly,
    singleCell: true,
    open: (name, home) => new LiveReducingState(shared({ name, serializer, home, ttl }), reduce),
    contents: ({ value }) => value,
  };
}

class LiveReducingState<T> extends SingleCell<T, ReducingState<T>> implements ReducingState<T> {
  readonly #reduce: (sum: T, value: T) => T;

  constructor(of: Shared<T>, reduce: (sum: T, value: T) => T) {
    super(of);
    this.#reduce = reduce;
  }

  override get handle(): ReducingState<T> {
    return this;
  }

  protected override another(of: Shared<T>): LiveReducingState<T> {
    return new LiveReducingState(of, this.#reduce);
  }

  get value(): T | undefined {
    const { held } = this;
    return (held as unknown) === absent ? undefined : this.contents.reveal(held as T | Encoded);
  }

  add(value: T): T {
    const { held } = this;
    const result =
      (held as unknown) === absent ? value : this.#reduce(this.contents.reveal(held as T | Encoded), value);
    this.put(result);
    return result;
  }
}
