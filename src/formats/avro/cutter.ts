/**
 * Cuts containers into their header and blocks. A block has its length, so its data are skipped:
 *
 *   header ──its end──▶ start ──count and length──▶ data ──length──▶ marker ──it is the sync marker──▶ start
 *                         │ impossible                                  │ it is not
 *                         └─────────────▶ lost ◀────────────────────────┘
 *                                          └──a sync marker──▶ start
 *
 * What is between two sync markers after damage is one unit, in which the decoder looks again.
 */
import { SequenceCutter } from '../endCutter.js';
import type { Cutter } from '../reader.js';
import { blockAt, headerAt, mostHeader, syncBytes } from './container.js';

export class ContainerCutter implements Cutter {
  readonly #most: number;
  /** `undefined`: in the header. */
  #sync: Buffer | undefined;
  /** Bytes of the part that `first` is in: the header, the start of a block, or its marker. */
  #begun: Buffer[] = [];
  #length = 0;
  /** The header does not end before. */
  #needed = 0;
  #part: 'start' | 'data' | 'marker' | 'lost' = 'start';
  /** Bytes of data to come. */
  #left = 0;
  #search: SequenceCutter | undefined;

  /** @param most the maximum length of the data of a block that is not damaged. Bytes */
  constructor(sync: Buffer | undefined, most: number) {
    this.#sync = sync;
    this.#most = most;
  }

  first(bytes: Buffer, from: number, to: number): number {
    const sync = this.#sync;
    if (sync === undefined) return this.#header(bytes, from, to);
    for (let at = from; ;) {
      switch (this.#part) {
        case 'start': {
          if (at === to) return -1;
          const begun = this.#take(bytes.subarray(at, ++at));
          const found = blockAt(begun, 0, begun.length, this.#most);
          if (typeof found === 'number') break;
          this.#forget();
          if (typeof found === 'object') {
            this.#part = 'data';
            this.#left = found.to - found.from;
          } else this.#lose(sync, begun);
          break;
        }
        case 'data': {
          const taken = Math.min(this.#left, to - at);
          this.#left -= taken;
          at += taken;
          if (this.#left > 0) return -1;
          this.#part = 'marker';
          break;
        }
        case 'marker': {
          const taken = Math.min(syncBytes - this.#length, to - at);
          const marker = this.#take(bytes.subarray(at, at + taken));
          at += taken;
          if (marker.length < syncBytes) return -1;
          this.#forget();
          this.#part = 'start';
          if (marker.equals(sync)) return at;
          this.#lose(sync, marker);
          break;
        }
        case 'lost': {
          const end = this.#search?.first(bytes, at, to) ?? -1;
          if (end >= 0) this.#part = 'start';
          return end;
        }
      }
    }
  }

  last(bytes: Buffer, from: number, to: number): number {
    let end = -1;
    if (this.#sync === undefined) {
      const found = headerAt(bytes, from, to);
      if (typeof found !== 'object') return -1;
      this.#sync = found.header.sync;
      end = found.end;
    }
    for (let at = Math.max(from, end); ;) {
      const block = blockAt(bytes, at, to, this.#most);
      if (typeof block !== 'object') return end;
      const next = block.to + syncBytes;
      if (next > to || this.#sync.compare(bytes, block.to, next) !== 0) return end;
      end = at = next;
    }
  }

  /** A damaged header ends where the bytes do: the decoder reports what is wrong. */
  #header(bytes: Buffer, from: number, to: number): number {
    const before = this.#length;
    this.#begun.push(Buffer.from(bytes.subarray(from, to)));
    this.#length += to - from;
    if (this.#length < this.#needed && this.#length <= mostHeader) return -1;
    const begun = Buffer.concat(this.#begun);
    const found = headerAt(begun, 0, begun.length);
    if (typeof found === 'number' && begun.length <= mostHeader) {
      this.#begun = [begun];
      this.#needed = found;
      return -1;
    }
    this.#forget();
    if (typeof found !== 'object') return to;
    this.#sync = found.header.sync;
    return from + found.end - before;
  }

  #take(bytes: Buffer): Buffer {
    const begun = Buffer.concat([...this.#begun, bytes]);
    this.#begun = [begun];
    this.#length = begun.length;
    return begun;
  }

  #forget(): void {
    this.#begun = [];
    this.#length = 0;
  }

  /** The marker may have begun in bytes that were taken for something else. */
  #lose(sync: Buffer, seen: Buffer): void {
    this.#part = 'lost';
    this.#search = new SequenceCutter(sync);
    this.#search.first(seen, 0, seen.length);
  }
}
