import { decodeKey, encodePart } from '../../path/uri.js';
import { unprintable } from '../../printable.js';

export { printable } from '../../printable.js';

/** A value as a line of JSON, safe for a terminal: unprintable characters are escaped as in JSON. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(unprintable, (char) =>
    Array.from(
      { length: char.length },
      (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

/** A URI for people: decoded, except wildcards, percent signs and unprintable characters. */
export function readable(uri: string): string {
  return uri.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Array.from(decodeKey(escapes), (char) =>
      /[*?[\]{}\\%\p{Cc}\p{Cf}\u2028\u2029]/u.test(char) ? encodePart(char) : char,
    ).join(''),
  );
}

/** The last columns of a string that is too long. */
export function ending(text: string, columns: number): string {
  const chars = Array.from(text);
  if (chars.length <= columns) return text;
  return columns < 2 ? '' : `…${chars.slice(1 - columns).join('')}`;
}

/** Lines of names and aligned values, without empty ones. */
export function fields(rows: readonly (readonly [name: string, value: string | undefined])[]): string[] {
  const given = rows.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...given.map(([name]) => name.length));
  return given.map(([name, value]) => `${name.padEnd(width)}  ${value ?? ''}`);
}
