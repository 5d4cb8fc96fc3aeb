import { headBytes } from '../formats/recognise.js';

/** The next bytes of something; `wait` while they are under way; `end` when there are none. */
export type Chunk = Uint8Array | 'wait' | 'end';

/** Chunks, whose first bytes are looked at before any is handed on. */
export class Preview {
  readonly #read: () => Chunk;
  #look: ((head: Buffer, whole: boolean) => void) | undefined;
  #head: Buffer = Buffer.alloc(0);

  /** `look` gets the first `headBytes` bytes, or all there are (`whole`). Without it, nothing is held back. */
  constructor(read: () => Chunk, look: ((head: Buffer, whole: boolean) => void) | undefined) {
    this.#read = read;
    this.#look = look;
  }

  /** Bytes that are held back. */
  get held(): number {
    return this.#head.length;
  }

  /** Looks at the first bytes; false while they are under way. */
  open(): boolean {
    const look = this.#look;
    if (look === undefined) return true;
    let whole = false;
    while (this.#head.length < headBytes && !whole) {
      const chunk = this.#read();
      if (chunk === 'wait') return false;
      if (chunk === 'end') whole = true;
      else if (this.#head.length > 0) this.#head = Buffer.concat([this.#head, chunk]);
      else this.#head = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    }
    this.#look = undefined;
    look(this.#head.subarray(0, headBytes), whole);
    return true;
  }

  read(): Chunk {
    if (!this.open()) return 'wait';
    const head = this.#head;
    if (head.length === 0) return this.#read();
    this.#head = Buffer.alloc(0);
    return head;
  }
}
