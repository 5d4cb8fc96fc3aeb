import { checkFunction } from '../../config/checkOptions.js';
import { absent } from '../cells.js';
import type { Key } from '../keys/keys.js';
import type { Encoded } from '../values/serializer.js';
import type { StateSpec } from '../state.js';
import { checkState, type KeyedStateOptions } from './options.js';
import { shared, SingleCell, type Shared } from './singleCell.js';

/** An aggregate per key, such as an average. Usable only during the turn of its record. */
export interface AggregatingState<In, Out> {
  /** The result for what was added; `undefined` if nothing was. */
  readonly value: Out | undefined;
  /** Adds a value. Errors: as `ValueState.set`. */
  add(value: In): void;
  /** Removes the aggregate. */
  clear(): void;
  /** The aggregate of the record's key in a namespace, such as a window. Errors: `UnsupportedKey`. */
  in(namespace: Key): AggregatingState<In, Out>;
}

/** How values are aggregated. */
export interface Aggregate<In, Accumulator, Out> {
  /** The accumulator of no values. */
  readonly create: () => Accumulator;
  /** Adds a value. Must return a new accumulator instead of changing the given one, which is frozen. */
  readonly add: (accumulator: Accumulator, value: In) => Accumulator;
  readonly result: (accumulator: Accumulator) => Out;
}

/**
 * Declares a state with an accumulator per key, to which values are added. The serializer of the options is that of
 * accumulators.
 *
 * @example
 * ```ts
 * const mean = aggregatingState({
 *   create: () => ({ sum: 0, count: 0 }),
 *   add: ({ sum, count }, n: number) => ({ sum: sum + n, count: count + 1 }),
 *   result: ({ sum, count }) => sum / count,
 * });
 * ```
 *
 * Errors: `InvalidOption`, `InvalidState`.
 */
export function aggregatingState<In, Accumulator, Out>(
  aggregate: Aggregate<In, Accumulator, Out>,
  options: KeyedStateOptions<Accumulator> = {},
): StateSpec<AggregatingState<In, Out>> {
  const { create, add, result } = aggregate;
  for (const [name, each] of Object.entries({ create, add, result }))
    checkFunction(`${name} of aggregatingState`, each);
  const { serializer, ttl, formerly } = checkState('aggregatingState', options);
  return {
    kind: 'aggregating',
    serializer,
    formerly,
    singleCell: true,
    open: (name, home) =>
      new LiveAggregatingState(shared({ name, serializer, home, ttl }), { create, add, result }),
    contents: ({ value }) => value,
  };
}

class LiveAggregatingState<In, Accumulator, Out>
  extends SingleCell<Accumulator, AggregatingState<In, Out>>
  implements AggregatingState<In, Out>
{
  readonly #aggregate: Aggregate<In, Accumulator, Out>;

  constructor(of: Shared<Accumulator>, aggregate: Aggregate<In, Accumulator, Out>) {
    super(of);
    this.#aggregate = aggregate;
  }

  override get handle(): AggregatingState<In, Out> {
    return this;
  }

  protected override another(of: Shared<Accumulator>): LiveAggregatingState<In, Accumulator, Out> {
    return new LiveAggregatingState(of, this.#aggregate);
  }

  get value(): Out | undefined {
    const { held } = this;
    if ((held as unknown) === absent) return undefined;
    return this.#aggregate.result(this.contents.reveal(held as Accumulator | Encoded));
  }

  add(value: In): void {
    const { held } = this;
    const { create, add } = this.#aggregate;
    const accumulator =
      (held as unknown) === absent ? create() : this.contents.reveal(held as Accumulator | Encoded);
    this.put(add(accumulator, value));
  }
}
