import { MillraceError, sharedByCopies } from '../errors.js';

/** Bytes, as a number or with a unit: `8388608`, `'8MiB'`, `'5 GiB'`, `'64kB'`. */
export type Size = number | string;

/** Time, in milliseconds or with a unit: `10_000`, `'10s'`, `'1m'`, `'500ms'`. */
export type Duration = number | string;

/** An unknown option, or an invalid value. The message contains key, value and rule. Code `InvalidOption`. */
export class InvalidOption extends MillraceError {
  static {
    sharedByCopies(this, 'InvalidOption');
  }

  override readonly name = 'InvalidOption';

  constructor(
    readonly key: string,
    value: unknown,
    readonly rule: string,
    message = `${key}: ${show(value)} is not allowed. It must be ${rule}.`,
  ) {
    super('InvalidOption', message);
  }
}

const sizes: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const durations: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1e3,
  m: 60e3,
  min: 60e3,
  h: 3_600e3,
  d: 86_400e3,
};

/** Parses a size in bytes. Throws `InvalidOption`. */
export function parseSize(key: string, value: Size): number {
  return parse(key, value, sizes, "a whole number of bytes, or a string such as '8MiB'");
}

/** Parses a duration in milliseconds. Throws `InvalidOption`. */
export function parseDuration(key: string, value: Duration): number {
  return parse(key, value, durations, "a whole number of milliseconds, or a string such as '10s'");
}

function parse(key: string, value: unknown, units: Readonly<Record<string, number>>, rule: string): number {
  let amount = NaN;
  if (typeof value === 'number') amount = value;
  else if (typeof value === 'string') {
    const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(value);
    const unit = match?.[2]?.toLowerCase();
    if (unit !== undefined && Object.hasOwn(units, unit))
      amount = Math.round(Number(match?.[1]) * (units[unit] ?? NaN));
  }
  if (!Number.isSafeInteger(amount) || amount < 0) throw new InvalidOption(key, value, rule);
  return amount;
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  // Not converted to a string: an object's conversion may return anything, or throw.
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
