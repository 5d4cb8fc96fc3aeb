import { inspect } from 'node:util';

const hidden = '<hidden>';

/**
 * Hides values of an object from `inspect`, `console.log`, `JSON.stringify` and `String()`. They remain ordinary properties,
 * which code can read and spread; a spread copy is no longer hidden.
 *
 * @param names the properties to hide. Default: all
 */
export function hideValues<T extends object>(secrets: T, names: readonly string[] = Object.keys(secrets)): T {
  const masked = (): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(secrets).map(([name, value]) => [
        name,
        names.includes(name) ? hidden : (value as unknown),
      ]),
    );
  for (const [name, value] of [
    [inspect.custom, masked],
    ['toJSON', masked],
    ['toString', () => hidden],
  ] as const) {
    Object.defineProperty(secrets, name, { value, enumerable: false });
  }
  return secrets;
}
