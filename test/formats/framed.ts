import { isCount } from '../../src/shape.js';
import type { Malformed, ObjectDecoder, Reader } from '../../src/formats/reader.js';

export interface Framed {
  /** Frames before this one in its object. */
  readonly index: number;
  /** Hexadecimal. */
  readonly content: string;
}

/** Frames of a length, in four bytes, and so many bytes. Its state is how many there were. */
export const framed: Reader<Framed> = {
  name: 'framed',
  block: 48,
  decoder: ({ state = 0 }) => new FrameDecoder(state as number),
  isState: isCount,
};

export function frame(content: Uint8Array): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(content.length);
  return Buffer.concat([prefix, content]);
}

const prefixBytes = 4;

class FrameDecoder implements ObjectDecoder<Framed> {
  #index: number;
  /** Of the frame that `first` is in: bytes of its prefix that are missing, and bytes to come after it. */
  #missing = prefixBytes;
  #left = 0;

  constructor(index: number) {
    this.#index = index;
  }

  first(bytes: Buffer, from: number, to: number): number {
    let at = from;
    for (; at < to && this.#missing > 0; this.#missing--) this.#left = this.#left * 256 + bytes[at++]!;
    if (this.#missing > 0) return -1;
    const taken = Math.min(this.#left, to - at);
    this.#left -= taken;
    if (this.#left > 0) return -1;
    this.#missing = prefixBytes;
    return at + taken;
  }

  last(bytes: Buffer, from: number, to: number): number {
    let end = -1;
    for (let at = from; at + prefixBytes <= to;) {
      at += prefixBytes + bytes.readUInt32BE(at);
      if (at > to) break;
      end = at;
    }
    return end;
  }

  decode(
    block: Buffer,
    start: number,
    _line: number,
    on: (record: Framed) => void,
    malformed: (bad: Malformed) => void,
  ): number {
    for (let from = 0; from < block.length;) {
      const to = this.last(block, from, Math.min(block.length, from + prefixBytes + lengthAt(block, from)));
      if (to < 0) {
        const text = block.toString('latin1', from);
        malformed({ offset: start + from, length: text.length, line: 0, text, reason: 'cut short' });
        break;
      }
      on({ index: this.#index++, content: block.toString('hex', from + prefixBytes, to) });
      from = to;
    }
    return 0;
  }

  dropped(): number {
    this.#index++;
    return 0;
  }

  state(): number {
    return this.#index;
  }
}

const lengthAt = (block: Buffer, at: number): number =>
  at + prefixBytes <= block.length ? block.readUInt32BE(at) : 0;
