/**
 * Keys and values of state as JSON. What JSON does not have is an object with one name that begins with `$`; so is an
 * object that would look like one.
 *
 * | in state | as JSON |
 * |---|---|
 * | `-0`, `NaN`, `Infinity` | `{ "$number": "-0" }` |
 * | bigint | `{ "$bigint": "7" }` |
 * | a number of JSON that no double holds | `{ "$json": "1e999" }` |
 * | date | `{ "$date": "2026-01-31T00:00:00.000Z" }` |
 * | map, set | `{ "$map": [[name, value]] }`, `{ "$set": [value] }` |
 * | binary data | `{ "$bytes": "base64" }` |
 * | `undefined` | `{ "$undefined": true }` |
 * | `{ "$x": 1 }` | `{ "$object": [["$x", 1]] }` |
 */
import { JsonNumber } from '../../formats/jsonNumbers.js';
import type { Key } from '../../state/index.js';
import { UsageError } from '../exit.js';

export function jsonOf(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return { $bigint: value.toString() };
    case 'undefined':
      return { $undefined: true };
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $number: Object.is(value, -0) ? '-0' : String(value) };
    case 'object':
      return value === null ? null : objectOf(value);
    default:
      return value;
  }
}

function objectOf(value: object): unknown {
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value instanceof Date) return { $date: value.toISOString() };
  if (value instanceof Map) return { $map: Array.from(value, ([name, of]) => [jsonOf(name), jsonOf(of)]) };
  if (value instanceof Set) return { $set: Array.from(value, jsonOf) };
  if (value instanceof JsonNumber) return { $json: value.text };
  if (ArrayBuffer.isView(value))
    return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  if (value instanceof ArrayBuffer) return { $bytes: Buffer.from(value).toString('base64') };
  const entries = Object.entries(value).map(([name, of]) => [name, jsonOf(of)] as const);
  const [first] = entries;
  if (entries.length === 1 && first?.[0].startsWith('$') === true) return { $object: entries };
  return Object.fromEntries(entries);
}

/** The inverse of {@link jsonOf}, for keys. Errors: `Usage`. */
export function keyOf(json: string): Key {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw noKey(json);
  }
  return keyFrom(value, json);
}

function keyFrom(value: unknown, json: string): Key {
  if (typeof value !== 'object' || value === null) return value as Key;
  if (Array.isArray(value)) return value.map((each) => keyFrom(each, json));
  const entries = Object.entries(value);
  const [[name, held] = ['', undefined]] = entries;
  if (entries.length !== 1 || !name.startsWith('$'))
    return Object.fromEntries(entries.map(([each, of]) => [each, keyFrom(of, json)]));
  if (name === '$bigint' && typeof held === 'string' && /^-?\d+$/.test(held)) return BigInt(held);
  if (name === '$number' && typeof held === 'string' && /^(-0|NaN|-?Infinity)$/.test(held))
    return Number(held);
  if (name === '$date' && typeof held === 'string' && !Number.isNaN(Date.parse(held))) return new Date(held);
  if (name === '$object' && Array.isArray(held) && held.every(isPair))
    return Object.fromEntries(held.map(([each, of]) => [each, keyFrom(of, json)]));
  throw noKey(json);
}

const isPair = (pair: unknown): pair is [string, unknown] =>
  Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string';

function noKey(json: string): UsageError {
  return new UsageError(
    `${json} is not a key as JSON. Write it as millrace state dump --json shows keys: "ada", 7, ["ada",7], {"$date":"2026-01-31T00:00:00.000Z"}.`,
  );
}
