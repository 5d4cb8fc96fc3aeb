import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { filterOf } from './cellFilter.js';
import { noPath, type CellPath } from './cells.js';
import { packr } from './serializer.js';

/** Longer ones are left out of the index: a look-up may then read a block in vain. Bytes. */
const indexedAddress = 256;

/** A block, and the address of its first cell. */
export interface BuiltBlock {
  readonly bytes: Uint8Array;
  readonly cells: number;
  readonly firstGroup: number;
  readonly lastGroup: number;
  readonly firstHash: number;
  readonly firstState: number;
  /** The encoded key. Copied. */
  readonly firstKey: Uint8Array;
  readonly firstPath: CellPath;
}

/** The index of a segment: how its blocks are found and checked, with a filter for each. */
export class IndexBuilder {
  /** Length, cells, first and last group, CRC-32, hash and state of the first cell, of each block. */
  readonly #numbers: number[] = [];
  /** Key, namespace and sub-key of the first cell of each block. */
  readonly #firsts: Uint8Array[] = [];
  readonly #digests: Uint8Array[] = [];
  readonly #filterDigests: Uint8Array[] = [];
  /** Of each block, in order. */
  readonly filters: Uint8Array[] = [];

  get blocks(): number {
    return this.#digests.length;
  }

  /** @param hashes of the cells, from the start */
  add(block: BuiltBlock, hashes: Uint32Array): void {
    const { bytes, cells, firstGroup, lastGroup, firstHash, firstState, firstKey, firstPath } = block;
    const { namespace, subKey } = firstPath;
    this.#numbers.push(bytes.length, cells, firstGroup, lastGroup, crc32(bytes), firstHash >>> 0, firstState);
    const long = firstKey.length + namespace.length + subKey.length > indexedAddress;
    this.#firsts.push(
      ...(long
        ? [noPath.namespace, noPath.namespace, noPath.subKey]
        : [firstKey, namespace, subKey].map((part) => Buffer.from(part))),
    );
    const filter = filterOf(hashes, cells);
    this.#digests.push(hash('sha256', bytes, 'buffer'));
    this.filters.push(filter);
    this.#filterDigests.push(hash('sha256', filter, 'buffer'));
  }

  encode(): Buffer {
    return packr.pack([
      this.#numbers,
      this.#firsts,
      Buffer.concat(this.#digests),
      Buffer.concat(this.#filterDigests),
    ]);
  }
}
