/** Dates, timestamps and decimals from what represents them in JavaScript, exactly or not at all. */
import { isDate } from 'node:util/types';
import { midnightOf, nanosOfTimestamp } from '../isoText.js';
import { typeName } from '../typeName.js';
import { Misfit } from './misfit.js';
import type { TimestampUnit } from './types.js';

const dayMillis = 86_400_000;
const perMilli = { millis: 1n, micros: 1000n, nanos: 1_000_000n };

const int64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n };

export function fitInt64(value: bigint): bigint {
  if (value < int64.least || value > int64.most) throw new Misfit('does not fit into 64 bits');
  return value;
}

/** Days since 1970. */
export function daysOf(value: unknown): number {
  const millis =
    typeof value === 'string' ? (midnightOf(value) ?? NaN) : isDate(value) ? value.getTime() : undefined;
  if (millis === undefined)
    throw new Misfit(`is a value of type ${typeName(value)}, not a Date or a string such as 2026-11-29`);
  if (Number.isNaN(millis)) throw new Misfit('is not a date');
  if (millis % dayMillis !== 0) throw new Misfit('has a time of day, which a date has not');
  return millis / dayMillis;
}

/** Since 1970, in the unit. */
export function timestampOf(value: unknown, unit: TimestampUnit): bigint {
  if (typeof value === 'bigint') return fitInt64(value);
  if (typeof value === 'string') return fitInt64(timestampOfText(value, unit));
  if (!isDate(value))
    throw new Misfit(
      `is a value of type ${typeName(value)}, not a Date, a bigint, or a string such as 2026-11-29T12:00:00Z`,
    );
  const millis = value.getTime();
  if (Number.isNaN(millis)) throw new Misfit('is not a date');
  return fitInt64(BigInt(millis) * perMilli[unit]);
}

function timestampOfText(text: string, unit: TimestampUnit): bigint {
  const all = nanosOfTimestamp(text);
  if (all === undefined)
    throw new Misfit('is not a timestamp with a time zone, such as 2026-11-29T12:00:00.5Z');
  const nanos = 1_000_000n / perMilli[unit];
  if (all % nanos !== 0n) throw new Misfit(`has more digits than its unit, ${unit}`);
  return all / nanos;
}

const decimalForm = /^([+-]?)(\d{1,400})(?:\.(\d{1,400}))?(?:[eE]([+-]?\d{1,3}))?$/;

/** The digits without the point. */
export function unscaledOf(value: unknown, precision: number, scale: number): bigint {
  const unscaled = typeof value === 'bigint' ? value * 10n ** BigInt(scale) : parsed(textOf(value), scale);
  const most = 10n ** BigInt(precision);
  if (unscaled >= most || unscaled <= -most)
    throw new Misfit(`has more than ${precision - scale} digits before the point`);
  return unscaled;
}

function textOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'string') return String(value);
  const text = (value as { readonly text?: unknown }).text;
  if (typeof text === 'string') return text;
  throw new Misfit(`is a value of type ${typeName(value)}, not a decimal`);
}

function parsed(text: string, scale: number): bigint {
  const found = decimalForm.exec(text);
  if (found === null) throw new Misfit('is not a decimal');
  const [, sign, whole = '', fraction = '', exponent = '0'] = found;
  const all = `${whole}${fraction}`.replace(/^0+(?=\d)/, '');
  // The place of the last digit, counted from where the column has its own last one.
  const shift = scale - fraction.length + Number(exponent);
  const kept = shift < 0 ? all.slice(0, shift) : all;
  if (shift < 0 && /[^0]/.test(all.slice(shift)))
    throw new Misfit(`has more than ${scale} digits after the point`);
  const unscaled = BigInt(kept === '' ? '0' : kept) * 10n ** BigInt(Math.max(0, shift));
  return sign === '-' ? -unscaled : unscaled;
}
