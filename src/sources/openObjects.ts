import type { FileObject } from './discovery.js';
import type { GroupObject } from './groupObject.js';
import type { ObjectReader } from './objectReader.js';

export type OpenObject<T> = ObjectReader<T> | GroupObject<T>;

/** The objects that a source is reading, in the order in which they were opened. They get their turns one after the other. */
export class OpenObjects<T> {
  readonly #readers: OpenObject<T>[] = [];
  #turn = 0;

  get size(): number {
    return this.#readers.length;
  }

  /** Bytes in memory after the fetcher. */
  get held(): number {
    let held = 0;
    for (const reader of this.#readers) held += reader.held;
    return held;
  }

  /** What the first of those waits for that fetch their own ranges. */
  get waitsFor(): string | undefined {
    return this.#readers.find(({ waitsFor }) => waitsFor !== undefined)?.waitsFor;
  }

  [Symbol.iterator](): Iterator<OpenObject<T>> {
    return this.#readers[Symbol.iterator]();
  }

  add(reader: OpenObject<T>): void {
    this.#readers.push(reader);
  }

  of(object: FileObject): OpenObject<T> | undefined {
    return this.#readers.find((reader) => reader.object === object);
  }

  /** The one whose turn it is; `undefined` if none is open. */
  get current(): OpenObject<T> | undefined {
    return this.#readers[this.#turn];
  }

  /** It is the next one's turn. */
  pass(): void {
    this.#turn = this.#turn + 1 < this.#readers.length ? this.#turn + 1 : 0;
  }

  /** If it is its turn, it is that of the one after it. */
  remove(reader: OpenObject<T>): void {
    reader.close();
    const at = this.#readers.indexOf(reader);
    this.#readers.splice(at, 1);
    if (at < this.#turn) this.#turn--;
    if (this.#turn === this.#readers.length) this.#turn = 0;
  }

  close(): void {
    for (const reader of this.#readers.splice(0)) reader.close();
  }
}
