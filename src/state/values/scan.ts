import { markType } from './marks.js';

/** Extensions that are followed by a value: JsonNumber, a value with its time, mark and set. */
const tags: ReadonlySet<number> = new Set([0x4a, 0x54, markType, 0x73]);
/** Extensions that consist of bytes: undefined, bigint, binary data, date. */
const blobs: ReadonlySet<number> = new Set([0x00, 0x42, 0x74, 0xff]);
const recordType = 0x72;

/**
 * Checks that bytes are exactly one MessagePack value of the kinds that state consists of, nested at most `deepest`
 * deep, with every length within the bytes. Throws `RangeError` otherwise.
 *
 * The bytes of an object are not trusted. msgpackr also decodes what we never write: with references, a few hundred
 * bytes can expand to more objects than memory holds. This scan is linear and allocates nothing, and what passes
 * decodes in linear time.
 */
export function scan(bytes: Uint8Array, deepest: number): void {
  const scanner = new Scanner(bytes);
  /** For each open container, the number of values still to come. */
  const open: number[] = [];
  for (;;) {
    const values = scanner.value();
    if (values > 0) {
      if (values > bytes.length - scanner.at)
        throw new RangeError(`a length at byte ${scanner.at} is too large`);
      if (open.push(values) > deepest) throw new RangeError(`it is nested more than ${deepest} deep`);
    }
    let left = open.pop();
    while (left === 0) left = open.pop();
    if (left === undefined) break;
    open.push(left - 1);
  }
  if (scanner.at !== bytes.length) throw new RangeError(`there are bytes after its end, at ${scanner.at}`);
}

class Scanner {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Field counts of the records defined so far, by token. */
  readonly #records = new Map<number, number>();
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Skips one value, or the head of a container. Returns the number of values in the container. */
  value(): number {
    const token = this.#byte();
    if (token < 0x40 || token >= 0xe0) return 0;
    if (token < 0x80) return this.#records.get(token) ?? this.#refuse(token);
    if (token < 0x90) return 2 * (token - 0x80);
    if (token < 0xa0) return token - 0x90;
    if (token < 0xc0) return this.#skip(token - 0xa0);
    switch (token) {
      case 0xc0: // null, false, true
      case 0xc2:
      case 0xc3:
        return 0;
      case 0xc4: // binary data
      case 0xd9: // strings
        return this.#skip(this.#byte());
      case 0xc5:
      case 0xda:
        return this.#skip(this.#uint16());
      case 0xc6:
      case 0xdb:
        return this.#skip(this.#uint32());
      case 0xc7: // extensions
        return this.#blob(this.#byte());
      case 0xc8:
        return this.#blob(this.#uint16());
      case 0xc9:
        return this.#blob(this.#uint32());
      case 0xd4:
        return this.#tag();
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#blob(1 << (token - 0xd4));
      case 0xcc: // numbers
      case 0xd0:
        return this.#skip(1);
      case 0xcd:
      case 0xd1:
        return this.#skip(2);
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.#skip(4);
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return this.#skip(8);
      case 0xdc: // arrays
        return this.#uint16();
      case 0xdd:
        return this.#uint32();
      case 0xde: // maps
        return 2 * this.#uint16();
      case 0xdf:
        return 2 * this.#uint32();
      default:
        return this.#refuse(token);
    }
  }

  #tag(): number {
    const type = this.#byte();
    const byte = this.#byte();
    if (type === recordType) return this.#record(byte);
    if (tags.has(type)) return 1;
    return blobs.has(type) ? 0 : this.#refuse(type);
  }

  #blob(length: number): number {
    const type = this.#byte();
    return blobs.has(type) ? this.#skip(length) : this.#refuse(type);
  }

  /** Skips the definition of a record, an array of names, which its first values follow. */
  #record(token: number): number {
    const head = this.#byte();
    let fields: number;
    if (head >= 0x90 && head < 0xa0) fields = head - 0x90;
    else if (head === 0xdc) fields = this.#uint16();
    else if (head === 0xdd) fields = this.#uint32();
    else return this.#refuse(head);
    for (let i = 0; i < fields; i++) {
      const name = this.#bytes[this.at] ?? 0;
      if (!((name >= 0xa0 && name < 0xc0) || (name >= 0xd9 && name <= 0xdb))) return this.#refuse(name);
      this.value();
    }
    this.#records.set(0x40 | (token & 0x3f), fields);
    return fields;
  }

  #byte(): number {
    return this.#bytes[this.at++] ?? this.#cutOff();
  }

  #uint16(): number {
    const at = this.at;
    this.#skip(2);
    return this.#view.getUint16(at);
  }

  #uint32(): number {
    const at = this.at;
    this.#skip(4);
    return this.#view.getUint32(at);
  }

  #skip(bytes: number): 0 {
    this.at += bytes;
    return this.at > this.#bytes.length ? this.#cutOff() : 0;
  }

  #cutOff(): never {
    throw new RangeError('it is cut off');
  }

  #refuse(token: number): never {
    throw new RangeError(`byte ${token} before ${this.at} is of no kind that state is made of`);
  }
}
