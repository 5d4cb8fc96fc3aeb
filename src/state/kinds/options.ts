import { checkOptions, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption } from '../../config/units.js';
import { StateError } from '../errors.js';
import { messagePack, type Serializer } from '../values/serializer.js';
import { ttlOf, type Ttl, type TtlOptions } from './ttl.js';

/** Options of every state, timers included. */
export interface StateNameOptions {
  /**
   * The name under which earlier checkpoints have the state, if it was renamed since. It has no effect once a
   * checkpoint has the new name. Default none.
   */
  readonly formerly?: string;
}

/** Options of every kind of state with values. */
export interface KeyedStateOptions<T> extends StateNameOptions {
  /**
   * How values are stored. Default MessagePack, for plain data: a value that would not come back unchanged is
   * rejected.
   */
  readonly serializer?: Serializer<T>;
  /**
   * How long values are kept. What has expired is removed without being read: from memory little by little, from the
   * store by merges of segments. Default: until they are removed.
   */
  readonly ttl?: TtlOptions;
}

/** Checked options of a state with values. */
interface Checked<T> {
  readonly serializer: Serializer<T>;
  readonly ttl: Ttl | undefined;
  readonly formerly: string | undefined;
}

/**
 * Checks the options of a state with values, as callers may be JavaScript. Errors: `InvalidOption`, `InvalidState`.
 *
 * @param of the function that declares the state, or an operator that has it
 */
export function checkState<T>(of: string, options: KeyedStateOptions<T>): Checked<T> {
  checkOptions(of, options, keyedStateNames);
  return {
    serializer: serializerOf(options),
    ttl: ttlOf(of, options.ttl),
    formerly: formerlyOf(of, options),
  };
}

export function formerlyOf(of: string, { formerly }: StateNameOptions): string | undefined {
  if (formerly !== undefined && typeof (formerly as unknown) !== 'string')
    throw new InvalidOption(`formerly of ${of}`, formerly, 'the name of a state');
  return formerly;
}

/** The serializer of values. Errors: `InvalidState`. */
export function serializerOf<T>({ serializer }: Pick<KeyedStateOptions<T>, 'serializer'>): Serializer<T> {
  if (serializer === undefined) return messagePack as Serializer<T>;
  const { id, version } = serializer;
  const invalid = (what: string): StateError => new StateError('InvalidState', what);
  if (typeof (id as unknown) !== 'string' || id === '')
    throw invalid(
      'A serializer has no id: give it a string that names the format of its bytes and never changes.',
    );
  if (!Number.isSafeInteger(version) || version < 1)
    throw invalid(`Serializer ${id} has version ${version}: give it an integer from 1.`);
  if ((serializer as Serializer<unknown>) !== messagePack && id === messagePack.id)
    throw invalid(`The id ${id} is that of the default serializer: give yours another.`);
  for (const method of ['encode', 'decode'] as const) {
    if (typeof (serializer[method] as unknown) !== 'function')
      throw invalid(`Serializer ${id} has no method \`${method}\`.`);
  }
  return serializer;
}

export const stateNameOptions: OptionNames<StateNameOptions> = { formerly: true };
/** The names of {@link KeyedStateOptions}. */
export const keyedStateNames: OptionNames<KeyedStateOptions<never>> = {
  ...stateNameOptions,
  serializer: true,
  ttl: true,
};
