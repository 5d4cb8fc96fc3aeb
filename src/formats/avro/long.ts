/**
 * Integers of 64 bits, as zigzag varints. avsc has a hook for them, because its own are doubles.
 */
import avsc from 'avsc';
import { integer } from '../typedValues.js';

/** How integers of 64 bits are read. */
export type Longs = 'auto' | 'bigint';

export function longBytes(value: number | bigint): Buffer {
  const bytes: number[] = [];
  if (typeof value === 'number' && value >= -(2 ** 30) && value < 2 ** 30) {
    let rest = (value << 1) ^ (value >> 31);
    for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
    bytes.push(rest);
    return Buffer.from(bytes);
  }
  const signed = BigInt(value);
  let rest = BigInt.asUintN(64, (signed << 1n) ^ (signed >> 63n));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** The bytes of one integer. */
function longOf(bytes: Buffer): number | bigint {
  const { length } = bytes;
  // 49 bits, which a double holds.
  if (length <= 7) {
    let value = 0;
    for (let i = length - 1; i >= 0; i--) value = value * 128 + ((bytes[i] ?? 0) & 0x7f);
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 7n) | BigInt((bytes[i] ?? 0) & 0x7f);
  return integer(BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n)));
}

const isLong = (value: unknown): boolean =>
  typeof value === 'bigint' ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value);

/** A type of avsc. */
export function longType(longs: Longs): avsc.Type {
  const read = longs === 'bigint' ? (bytes: Buffer) => BigInt(longOf(bytes)) : longOf;
  const methods = {
    fromBuffer: read,
    toBuffer: longBytes,
    isValid: isLong,
    // Of defaults in schemas, and of copies of them.
    fromJSON: (value: unknown) => (longs === 'bigint' ? BigInt(value as number | bigint) : value),
    toJSON: (value: unknown) => value,
    compare: (a: number | bigint, b: number | bigint) => (a < b ? -1 : a > b ? 1 : 0),
  };
  return avsc.types.LongType.__with(methods, true);
}
