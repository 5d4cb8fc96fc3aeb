import { decodeKey, encodePart } from '../../path/uri.js';

/** Text from a store, fit for a terminal: what would move the cursor, or turn text around, is written as an escape. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** A URI as people read it: decoded, but for what could be taken for a wildcard, a percent sign, or cannot be printed. */
export function readable(uri: string): string {
  return uri.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Array.from(decodeKey(escapes), (char) =>
      /[*?[\]{}\\%\p{Cc}\p{Cf}\u2028\u2029]/u.test(char) ? encodePart(char) : char,
    ).join(''),
  );
}

/** The last columns of a text that is too long for a place. */
export function ending(text: string, columns: number): string {
  const chars = Array.from(text);
  if (chars.length <= columns) return text;
  return columns < 2 ? '' : `…${chars.slice(1 - columns).join('')}`;
}

/** Lines of a name and a value each, the values below each other; without those that have none. */
export function fields(rows: readonly (readonly [name: string, value: string | undefined])[]): string[] {
  const given = rows.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(0, ...given.map(([name]) => name.length));
  return given.map(([name, value]) => `${name.padEnd(width)}  ${value ?? ''}`);
}
