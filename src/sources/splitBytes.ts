import type { Cutter } from '../formats/reader.js';
import type { ContentHeaders } from '../store/objectStore.js';
import type { Chunk } from './preview.js';
import { SplitScanner, type Split } from './splits.js';

/** The bytes of an object, or of a split of it, in order. */
export interface StoredBytes {
  /** The object's content headers; `undefined` while the next bytes are in flight. */
  readonly content: ContentHeaders | undefined;
  /** Whether nothing is left. */
  readonly atEnd: boolean;
  read(): Chunk;
}

/** The bytes that belong to a split, out of those that are fetched. */
export class SplitBytes implements StoredBytes {
  readonly #fetched: StoredBytes;
  readonly #scanner: SplitScanner;

  /**
   * @param offset that of the next record if some were read, or else where the split begins
   * @param cutter makes a cutter of the format
   */
  constructor(fetched: StoredBytes, split: Split, offset: number, cutter: () => Cutter) {
    this.#fetched = fetched;
    this.#scanner = new SplitScanner(split, offset, cutter);
  }

  /** The offset of its first byte; `undefined` until it is found. */
  get start(): number | undefined {
    return this.#scanner.start;
  }

  get content(): ContentHeaders | undefined {
    return this.#fetched.content;
  }

  get atEnd(): boolean {
    return this.#scanner.over || this.#fetched.atEnd;
  }

  read(): Chunk {
    for (;;) {
      if (this.#scanner.over) return 'end';
      const chunk = this.#fetched.read();
      if (typeof chunk === 'string') return chunk;
      const bytes = this.#scanner.take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      if (bytes.length > 0) return bytes;
    }
  }
}
