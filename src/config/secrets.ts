import { inspect } from 'node:util';

const hidden = '<hidden>';

/**
 * Makes values of an object show nowhere: not in `inspect`, `console.log`, `JSON.stringify`, `String()`. They stay
 * ordinary properties, so that code which needs them reads or spreads them as usual; a spread copy is not hidden any more.
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
