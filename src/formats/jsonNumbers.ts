/**
 * Lossless parsing of JSON numbers that a double cannot represent. `JSON.parse` would round them silently.
 *
 * Such a number has a run of at least sixteen digits, counting its point. Runs are rare and quickly found, so blocks without
 * one are parsed by `JSON.parse` alone. In others, each such number is replaced by a marked string, the line is parsed,
 * and the marked strings are replaced:
 *
 * - an integer beyond ±(2⁵³ − 1): a `bigint`;
 * - any other number that differs from the nearest double printed with as many digits: a {@link JsonNumber}.
 */
import { randomUUID } from 'node:crypto';
import { InvalidOption } from '../config/units.js';
import { sharedByCopies } from '../errors.js';

/** A string that does not occur in user data. */
const mark = randomUUID();
const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** The minimum length of a number that a double may not represent. */
const longest = 16;

/**
 * A JSON number with more digits than a double has. `ndjson()` reads and writes all its digits. In arithmetic and comparisons,
 * and in `JSON.stringify`, it is the nearest double.
 *
 * Errors: `InvalidOption` (`text` is not a JSON number).
 *
 * @example
 * ```ts
 * const price = new JsonNumber('1.20000000000000000000000000005');
 * console.log(String(price), Number(price)); // 1.20000000000000000000000000005 1.2
 * ```
 */
export class JsonNumber {
  static {
    sharedByCopies(this, 'JsonNumber');
  }

  constructor(
    /** The number as JSON. */
    readonly text: string,
  ) {
    if (!number.test(text))
      throw new InvalidOption('JsonNumber', text, 'a JSON number, such as -1.50 or 2e9');
    Object.freeze(this);
  }

  valueOf(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }

  toJSON(): number {
    rounded = true;
    return Number(this.text);
  }
}

let rounded = false;

/** Whether a number of sixteen digits or more may begin somewhere in `bytes`. Looks at every sixteenth byte. */
export function hasLongNumber(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from + longest - 1; at < to; at += longest) {
    if (!isDigitOf(bytes, at)) continue;
    // A run of sixteen has eight more on one side of this byte. Most runs are shorter.
    const before = isDigitOf(bytes, at - 4) && isDigitOf(bytes, at - 8);
    if (!before && !(isDigitOf(bytes, at + 4) && isDigitOf(bytes, at + 8))) continue;
    let start = at;
    while (start > from && isDigitOf(bytes, start - 1)) start--;
    let end = at + 1;
    while (end < to && isDigitOf(bytes, end)) end++;
    if (end - start >= longest && (start === from || beforeNumber.has(bytes[start - 1] ?? 0))) return true;
    // Measures each run once, however long it is.
    at = end;
  }
  return false;
}

const isDigitOf = (bytes: Uint8Array, at: number): boolean => isDigit(bytes[at] ?? 0);

/** The bytes before a JSON number, including the last byte of a byte order mark. */
const beforeNumber: ReadonlySet<number> = new Set([...Buffer.from('[:,-\n\r\t '), 0xbf]);

/** A digit or a point. The slash, which lies between them, does no harm here, and one comparison is faster. */
function isDigit(char: number): boolean {
  return (char - 46) >>> 0 < 12;
}

const longNumber = /(?:^|[[:,\s-])\d[\d.]{15}/;

/** Like `JSON.parse`, but exact for numbers that a double cannot represent. Errors: `SyntaxError`, like `JSON.parse`. */
export function parseExactly(text: string): unknown {
  if (!longNumber.test(text)) return JSON.parse(text);
  const marked = markNumbers(text);
  if (marked === undefined) return JSON.parse(text);
  let value: unknown;
  try {
    value = JSON.parse(marked);
  } catch {
    // Its error quotes the original text.
    return JSON.parse(text);
  }
  return unmark(value);
}

/** Replaces each number that a double cannot represent by a marked string. `undefined` if there is none. */
function markNumbers(text: string): string | undefined {
  let marked = '';
  let taken = 0;
  let at = 0;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === quote) {
      at = stringEnd(text, at);
      continue;
    }
    if (!isDigit(char) && char !== minus) {
      at++;
      continue;
    }
    const start = at;
    do at++;
    while (at < text.length && isInNumber(text.charCodeAt(at)));
    const token = text.slice(start, at);
    // A name must be a string. A number in its place must not become one.
    if (token.length < longest || !number.test(token) || isHeld(token) || isName(text, at)) continue;
    marked += `${text.slice(taken, start)}"${mark}${token}"`;
    taken = at;
  }
  return taken === 0 ? undefined : marked + text.slice(taken);
}

const quote = 0x22;
const minus = 0x2d;
const zero = 0x30;

/** Digits, signs, point and exponent. */
function isInNumber(char: number): boolean {
  return isDigit(char) || char === minus || char === 0x2b || (char | 0x20) === 0x65;
}

/** The offset after the string that starts at `at`. */
function stringEnd(text: string, at: number): number {
  for (let end = at; ;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return text.length;
    let escapes = 0;
    while (text.charAt(end - 1 - escapes) === '\\') escapes++;
    if (escapes % 2 === 0) return end + 1;
  }
}

function isName(text: string, end: number): boolean {
  let at = end;
  while (/\s/.test(text.charAt(at))) at++;
  return text.charAt(at) === ':';
}

/** Whether a double has all digits of the number: printed with as many, or by `String`, it is the same again. */
function isHeld(token: string): boolean {
  const value = Number(token);
  if (/^-?\d+$/.test(token)) return Number.isSafeInteger(value);
  const digits = significant(token);
  if (value === 0) return digits === '';
  // More digits than toPrecision supports.
  if (!Number.isFinite(value) || digits.length > 100) return false;
  // Of two equally near numbers, `toPrecision` prints the larger one and `String` the even one.
  return (
    digits.length <= 15 ||
    significant(value.toPrecision(digits.length)) === digits ||
    significant(String(value)) === digits
  );
}

/** The digits of a number, without leading and trailing zeros, sign, point and exponent. */
function significant(token: string): string {
  const digits = token.replace(/[eE].*$/, '').replace(/[-.]/g, '');
  let from = 0;
  let to = digits.length;
  while (digits.charCodeAt(from) === zero) from++;
  while (to > from && digits.charCodeAt(to - 1) === zero) to--;
  return digits.slice(from, to);
}

/** Replaces the marked strings in place. Not recursive, because a line may be nested as deeply as it is long. */
function unmark(value: unknown): unknown {
  if (typeof value === 'string') return isMarked(value) ? unmarked(value) : value;
  const left = [value as Record<string, unknown>];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    for (const name of Object.keys(node)) {
      const inner = node[name];
      if (typeof inner === 'string') {
        // An assignment to `__proto__` would set the prototype.
        if (isMarked(inner)) Object.defineProperty(node, name, { value: unmarked(inner) });
      } else if (typeof inner === 'object' && inner !== null) left.push(inner as Record<string, unknown>);
    }
  }
  return value;
}

const isMarked = (text: string): boolean => text.length >= mark.length + longest && text.startsWith(mark);

function unmarked(text: string): bigint | JsonNumber {
  const token = text.slice(mark.length);
  return /^-?\d+$/.test(token) ? BigInt(token) : new JsonNumber(token);
}

/** Whether a {@link JsonNumber} was rounded by `JSON.stringify` since this was last asked. */
export function hasRounded(): boolean {
  const was = rounded;
  rounded = false;
  return was;
}

/** Like `JSON.stringify`, but writes all digits of bigints and {@link JsonNumber}s. */
export function stringifyExactly(value: unknown): string | undefined {
  // Its declared type lacks `undefined`.
  const text = JSON.stringify(value, markValue) as string | undefined;
  return text?.replace(markedValue, '$1');
}

const markedValue = new RegExp(`"${mark}([^"]*)"`, 'g');

function markValue(this: unknown, name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${mark}${value}`;
  if (typeof value !== 'number') return value;
  const original = (this as Record<string, unknown>)[name];
  return original instanceof JsonNumber ? `${mark}${original.text}` : value;
}
