import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { filterOf } from './cellFilter.js';
import { noPath, type CellPath } from './cells.js';
import { packr } from './serializer.js';

/** Longer addresses are left out of the index, so a lookup may read an extra block. Bytes. */
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

/** Builds the index of a segment, which locates and verifies blocks, and a filter for each block. */
export class IndexBuilder {
  /** Length, cells, first and last group, CRC-32, hash and state of the first cell, of each block. */
  readonly #numbers: number[] = [];
  /** Key, namespace and sub-key of the first cell of each block. */
  readonly #firsts: Uint8Array[] = [];
  readonly #digests: Uint8Array[] = [];
  readonly #filterDigests: Uint8Array[] = [];
  /** The filter of each block, in order. */
  readonly filters: Uint8Array[] = [];

  get blocks(): number {
    return this.#digests.length;
  }

  /** @param hashes starts with the hashes of the block's cells */
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
