/**
 * Values of binary formats with types, as JavaScript has them. A number that a double cannot represent is a `bigint` or a
 * `JsonNumber`, as in JSON, and every other one is a `number`.
 */
import { parseExactly } from './jsonNumbers.js';

/** How dates and timestamps are read. */
export type Dates = 'date' | 'text';

export type Unit = 'MILLIS' | 'MICROS' | 'NANOS';

/** A value that cannot be read: its record is malformed. */
export class BadValue extends Error {}

/** Names of columns and keys of maps are data: `__proto__` is an ordinary property. */
export function setProperty(record: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(record, name, { value, writable: true, enumerable: true, configurable: true });
  else record[name] = value;
}

export const integer = (value: bigint): number | bigint => {
  const near = Number(value);
  return Number.isSafeInteger(near) ? near : value;
};

export function unscaled(value: unknown): bigint {
  if (!(value instanceof Uint8Array)) return BigInt(value as bigint | number);
  if (value.length === 0) return 0n;
  return BigInt.asIntN(value.length * 8, BigInt(`0x${Buffer.from(value).toString('hex')}`));
}

export function decimal(value: bigint, scale: number): unknown {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  const text = `${value < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`;
  return digits.length <= 15 ? Number(text) : parseExactly(text);
}

const perUnit = { MILLIS: 1_000_000n, MICROS: 1000n, NANOS: 1n };

export const nanos = (value: unknown, unit: Unit): bigint => BigInt(value as bigint | number) * perUnit[unit];

export function date(millis: number): Date {
  const result = new Date(millis);
  if (Number.isNaN(result.getTime()))
    throw new BadValue(`a date that JavaScript cannot represent (${millis} ms)`);
  return result;
}

/** Rounded down, also before 1970. */
export const timestamp = (value: bigint): Date =>
  date(Number((value - (((value % 1_000_000n) + 1_000_000n) % 1_000_000n)) / 1_000_000n));

/** ISO 8601, with all nine digits if they are needed. */
export function timestampText(value: bigint): string {
  const second = 1_000_000_000n;
  const rest = ((value % second) + second) % second;
  const text = date(Number((value - rest) / 1_000_000n)).toISOString();
  return `${text.slice(0, -'.000Z'.length)}${fraction(rest)}Z`;
}

export function timeText(value: bigint): string {
  const seconds = Number(value / 1_000_000_000n);
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${fraction(value % 1_000_000_000n)}`;
}

function fraction(rest: bigint): string {
  const digits = rest
    .toString()
    .padStart(9, '0')
    .replace(/(000)+$/, '');
  return digits === '' ? '' : `.${digits}`;
}
