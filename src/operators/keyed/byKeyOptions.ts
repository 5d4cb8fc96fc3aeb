import { checkId } from '../../config/checkId.js';
import { checkOptions, required, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption } from '../../config/units.js';
import type { Key } from '../../state/index.js';

/** Options of every operator by key. */
export interface ByKeyOptions<A, K extends Key = Key> {
  /** The key of a record. Equal keys share state: `1` and `'1'` differ, `{ a, b }` and `{ b, a }` do not. */
  readonly key: (record: A) => K;
}

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

/** Errors: `InvalidOption`. */
export function checkFunction(name: string, given: unknown): void {
  if (typeof given !== 'function') throw new InvalidOption(name, given, 'a function');
}
