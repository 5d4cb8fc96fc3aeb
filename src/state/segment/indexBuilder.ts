import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { filterOf } from './cellFilter.js';
import { noPath, type CellPath } from '../cells.js';
import { packr } from '../values/serializer.js';

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

/** The first addresses of blocks or pages, and the digests of their bytes. */
class Entries {
  /** Of each entry, the same number of them. */
  numbers: number[] = [];
  /** Key, namespace and sub-key of the first cell of each entry. */
  firsts: Uint8Array[] = [];
  digests: Uint8Array[] = [];

  get count(): number {
    return this.digests.length;
  }
}

/** Builds the index of a segment, which locates and verifies blocks, and a filter for each block. */
export class IndexBuilder {
  readonly #limit: number;
  /** Of each page: length, blocks, bytes of blocks, bytes of filters, group, hash and state of the first cell. */
  readonly #root = new Entries();
  readonly #pages: Uint8Array[] = [];
  /** Of each block: length, cells, first and last group, CRC-32, hash and state of the first cell. */
  #page = new Entries();
  #filterDigests: Uint8Array[] = [];
  #blockBytes = 0;
  #filterBytes = 0;
  #blocks = 0;
  /** The filter of each block, in order. */
  readonly filters: Uint8Array[] = [];

  /** @param limit blocks in a page */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get blocks(): number {
    return this.#blocks;
  }

  /** @param hashes starts with the hashes of the block's cells */
  add(block: BuiltBlock, hashes: Uint32Array): void {
    const { bytes, cells, firstGroup, lastGroup, firstHash, firstState, firstKey, firstPath } = block;
    const { namespace, subKey } = firstPath;
    const page = this.#page;
    page.numbers.push(bytes.length, cells, firstGroup, lastGroup, crc32(bytes), firstHash >>> 0, firstState);
    const long = firstKey.length + namespace.length + subKey.length > indexedAddress;
    page.firsts.push(
      ...(long
        ? [noPath.namespace, noPath.namespace, noPath.subKey]
        : [firstKey, namespace, subKey].map((part) => Buffer.from(part))),
    );
    const filter = filterOf(hashes, cells);
    page.digests.push(hash('sha256', bytes, 'buffer'));
    this.filters.push(filter);
    this.#filterDigests.push(hash('sha256', filter, 'buffer'));
    this.#blockBytes += bytes.length;
    this.#filterBytes += filter.length;
    this.#blocks++;
    if (page.count === this.#limit) this.#endPage();
  }

  /** The pages, and the root last. */
  encode(): readonly Uint8Array[] {
    if (this.#page.count > 0) this.#endPage();
    const { numbers, firsts, digests } = this.#root;
    return [...this.#pages, packr.pack([numbers, firsts, Buffer.concat(digests)])];
  }

  #endPage(): void {
    const { numbers, firsts, digests, count } = this.#page;
    const bytes = packr.pack([numbers, firsts, Buffer.concat(digests), Buffer.concat(this.#filterDigests)]);
    const [, , group = 0, , , first = 0, state = 0] = numbers;
    this.#root.numbers.push(bytes.length, count, this.#blockBytes, this.#filterBytes, group, first, state);
    this.#root.firsts.push(...firsts.slice(0, 3));
    this.#root.digests.push(hash('sha256', bytes, 'buffer'));
    this.#pages.push(bytes);
    this.#page = new Entries();
    this.#filterDigests = [];
    this.#blockBytes = 0;
    this.#filterBytes = 0;
  }
}
