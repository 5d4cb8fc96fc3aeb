import type { OptionNames } from '../../config/checkOptions.js';
import { InvalidOption } from '../../config/units.js';
import { typeName } from '../../formats/typeName.js';
import { StateError } from '../errors.js';
import { messagePack, type Serializer } from '../values/serializer.js';
import type { TtlOptions } from './ttl.js';

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

/** @param of the function that declares the state */
export function formerlyOf(of: string, { formerly }: StateNameOptions): StateNameOptions {
  if (formerly === undefined) return {};
  if (typeof (formerly as unknown) !== 'string')
    throw new InvalidOption(`formerly of ${of}`, formerly, 'the name of a state');
  return { formerly };
}

/** The serializer of the options, checked, as callers may be JavaScript. Errors: `InvalidState`. */
export function serializerOf<T>({ serializer }: KeyedStateOptions<T>): Serializer<T> {
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

/** Errors: `InvalidState`. */
export function checkFunctions(kind: string, functions: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(functions)) {
    if (typeof value !== 'function')
      throw new StateError(
        'InvalidState',
        `${kind} needs the function \`${name}\`, and was given a value of type ${typeName(value)}.`,
      );
  }
}

export const stateNameOptions: OptionNames<StateNameOptions> = { formerly: true };
export const optionNames: OptionNames<KeyedStateOptions<never>> = {
  ...stateNameOptions,
  serializer: true,
  ttl: true,
};
