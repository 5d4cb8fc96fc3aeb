import type { Cutter } from './reader.js';

/** How the length of a frame is written before it. */
export interface LengthPrefix {
  readonly bytes: 1 | 2 | 4 | 8 | 'varint';
  readonly endian: 'big' | 'little';
}

/** A varint of 64 bits. */
const maxVarint = 10;

/**
 * Reads the prefix at `from`: the length, and the offset after it. `undefined`: it continues after `to`. The length is Infinity
 * if it exceeds what a double has, or is not a varint.
 */
export function readPrefix(
  { bytes, endian }: LengthPrefix,
  block: Buffer,
  from: number,
  to: number,
): { readonly length: number; readonly at: number } | undefined {
  let length = 0;
  if (bytes !== 'varint') {
    if (from + bytes > to) return undefined;
    for (let i = 0; i < bytes; i++)
      length = length * 256 + (block[endian === 'big' ? from + i : from + bytes - 1 - i] ?? 0);
    return { length: known(length), at: from + bytes };
  }
  for (let i = 0; i < maxVarint; i++) {
    if (from + i >= to) return undefined;
    const byte = block[from + i] ?? 0;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { length: known(length), at: from + i + 1 };
  }
  return { length: Infinity, at: from + maxVarint };
}

const known = (length: number): number => (Number.isSafeInteger(length) ? length : Infinity);

/** The prefix of a frame. `undefined`: the length does not fit. */
export function writePrefix({ bytes, endian }: LengthPrefix, length: number): Buffer | undefined {
  const digits: number[] = [];
  const base = bytes === 'varint' ? 128 : 256;
  for (let rest = length; rest > 0; rest = Math.floor(rest / base)) digits.push(rest % base);
  if (bytes === 'varint') {
    if (digits.length === 0) digits.push(0);
    return Buffer.from(digits.map((digit, i) => (i < digits.length - 1 ? digit | 0x80 : digit)));
  }
  if (digits.length > bytes) return undefined;
  while (digits.length < bytes) digits.push(0);
  return Buffer.from(endian === 'little' ? digits : digits.reverse());
}

export class FrameCutter implements Cutter {
  readonly #prefix: LengthPrefix;
  /** Of the frame that `first` is in: its prefix as far as it has arrived, or the bytes to come after it. */
  #begun: Buffer = Buffer.alloc(0);
  #left: number | undefined;

  constructor(prefix: LengthPrefix) {
    this.#prefix = prefix;
  }

  first(bytes: Buffer, from: number, to: number): number {
    let at = from;
    while (this.#left === undefined) {
      if (at === to) return -1;
      this.#begun = Buffer.concat([this.#begun, bytes.subarray(at, ++at)]);
      this.#left = readPrefix(this.#prefix, this.#begun, 0, this.#begun.length)?.length;
    }
    const taken = Math.min(this.#left, to - at);
    this.#left -= taken;
    if (this.#left > 0) return -1;
    this.#left = undefined;
    this.#begun = Buffer.alloc(0);
    return at + taken;
  }

  last(bytes: Buffer, from: number, to: number): number {
    let end = -1;
    for (let at = from; at < to;) {
      const prefix = readPrefix(this.#prefix, bytes, at, to);
      if (prefix === undefined || prefix.at + prefix.length > to) break;
      end = at = prefix.at + prefix.length;
    }
    return end;
  }
}
