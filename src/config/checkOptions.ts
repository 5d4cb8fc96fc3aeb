import { nearest } from './nearest.js';
import { InvalidOption } from './units.js';

/** The options of an interface by name, all of them: the compiler holds the list complete. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses an option that does not exist: a slip would otherwise be ignored, and the default be used in its place.
 * Callers may be JavaScript, so what is no object is refused, too. Throws `InvalidOption`.
 *
 * @param of what has the options: `createJob`
 * @param path where they are among them, with a dot at its end: `checkpoints.`
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

/** The option that was probably meant: spelled nearly the same, or with a part more or less (`retries` of `maxRetries`). */
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

/** Refuses a value that is none of these. Throws `InvalidOption`. */
export function oneOf(key: string, value: string | undefined, values: readonly string[]): void {
  if (value === undefined || values.includes(value)) return;
  throw new InvalidOption(key, value, values.map((each) => `'${each}'`).join(' or '));
}

/** An option object that must be there. Throws `InvalidOption`. */
export function required<T extends object>(key: string, options: T | undefined): T {
  if (!isObject(options)) throw new InvalidOption(key, options, 'an object');
  return options;
}

/** Refuses an object that lacks one of these methods. Throws `InvalidOption`. */
export function withMethods(key: string, value: object | undefined, names: readonly string[]): void {
  if (value === undefined) return;
  const found = ((value as object | null) ?? {}) as Readonly<Record<string, unknown>>;
  if (names.some((name) => typeof found[name] !== 'function'))
    throw new InvalidOption(key, value, `an object with the methods ${names.join(', ')}`);
}
