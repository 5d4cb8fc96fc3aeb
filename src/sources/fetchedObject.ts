import type { ContentHeaders } from '../store/objectStore.js';
import type { Chunk } from './preview.js';

/** The first fragment of an object that is not read yet to its end. */
export interface Head {
  readonly chunks: readonly Uint8Array[];
  readonly content: ContentHeaders | undefined;
  /** Whether it is the last fragment of the object. */
  readonly last: boolean;
}

/** What a fetcher has fetched of one object: its chunks in order. */
export class FetchedObject {
  readonly #head: () => Head | undefined;
  readonly #consumed: () => void;
  #chunk = 0;

  /**
   * @param head `undefined` while it is in flight
   * @param consumed the head is read, so that the next fragment becomes the head
   */
  constructor(head: () => Head | undefined, consumed: () => void) {
    this.#head = head;
    this.#consumed = consumed;
  }

  /** The object's content headers; `undefined` while its next fragment is in flight. */
  get content(): ContentHeaders | undefined {
    return this.#head()?.content;
  }

  /** Whether no chunk is left. */
  get atEnd(): boolean {
    const head = this.#head();
    return head?.last === true && this.#chunk >= head.chunks.length;
  }

  /** The next chunk; `wait` while it is in flight; `end` once `atEnd`. */
  read(): Chunk {
    for (;;) {
      const head = this.#head();
      if (head === undefined) return 'wait';
      const chunk = head.chunks[this.#chunk];
      if (chunk !== undefined) {
        this.#chunk++;
        return chunk;
      }
      if (head.last) return 'end';
      this.#chunk = 0;
      this.#consumed();
    }
  }
}
