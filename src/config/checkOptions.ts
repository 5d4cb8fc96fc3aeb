import { nearest } from './nearest.js';
import { InvalidOption } from './units.js';

/** The names of all options of an interface. The compiler requires the list to be complete. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses unknown options, which are otherwise typing errors that go unnoticed. Callers may be JavaScript, so values that are
 * not objects are refused, too. Throws `InvalidOption`.
 *
 * @param of the owner of the options: `createJob`
 * @param path the prefix of nested options, with a trailing dot: `checkpoints.`
 */
export function checkOptions<T extends object>(
  of: string,
  options: T | undefined,
  names: OptionNames<T>,
  path = '',
): void {
  if (options === undefined) return;
  if (!isObject(options)) {
    const key = path === '' ? `the options of ${of}` : `${of}: ${path.slice(0, -1)}`;
    throw new InvalidOption(key, options, 'an object');
  }
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !Object.hasOwn(names, name))
      throw unknownOption(of, path, name, Object.keys(names));
  }
}

function isObject<T>(value: T): value is T & object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The option that was probably meant: with a similar spelling, or containing or contained in the name (`retries`, `maxRetries`). */
function meant(name: string, names: readonly string[]): string | undefined {
  const small = name.toLowerCase();
  const near = nearest(
    small,
    names.map((each) => each.toLowerCase()),
  );
  if (near !== undefined) return names.find((each) => each.toLowerCase() === near);
  const longestFirst = names.toSorted((a, b) => b.length - a.length).filter((each) => each.length > 2);
  return longestFirst.find(
    (each) => small.includes(each.toLowerCase()) || each.toLowerCase().includes(small),
  );
}

function unknownOption(of: string, path: string, name: string, names: readonly string[]): InvalidOption {
  const near = meant(name, names);
  const rule =
    near === undefined ? `one of ${names.map((each) => path + each).join(', ')}` : `${path}${near}`;
  const hint = near === undefined ? `The options are ${names.join(', ')}.` : `Did you mean ${path}${near}?`;
  return new InvalidOption(
    `${path}${name}`,
    undefined,
    rule,
    `${of}: ${path}${name} is not an option. ${hint}`,
  );
}

/** Throws `InvalidOption` unless the value is one of these. */
export function oneOf(key: string, value: string | undefined, values: readonly string[]): void {
  if (value === undefined || values.includes(value)) return;
  throw new InvalidOption(key, value, values.map((each) => `'${each}'`).join(' or '));
}

/** Throws `InvalidOption` unless the options are an object. */
export function required<T extends object>(key: string, options: T | undefined): T {
  if (!isObject(options)) throw new InvalidOption(key, options, 'an object');
  return options;
}

/** Throws `InvalidOption` unless the value is a function. */
export function checkFunction(key: string, given: unknown): void {
  if (typeof given !== 'function') throw new InvalidOption(key, given, 'a function');
}

/** Throws `InvalidOption` if the object lacks one of these methods. */
export function withMethods(key: string, value: object | undefined, names: readonly string[]): void {
  if (value === undefined) return;
  const found = ((value as object | null) ?? {}) as Readonly<Record<string, unknown>>;
  if (names.some((name) => typeof found[name] !== 'function'))
    throw new InvalidOption(key, value, `an object with the methods ${names.join(', ')}`);
}
