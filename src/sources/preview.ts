import { headBytes } from '../formats/recognise.js';

/** The next bytes of a stream; `wait` if they have not arrived; `end` if there are no more. */
export type Chunk = Uint8Array | 'wait' | 'end';

/** A stream of chunks whose first bytes are inspected before any is passed on. */
export class Preview {
  readonly #read: () => Chunk;
  #look: ((head: Buffer, whole: boolean) => void) | undefined;
  #head: Buffer = Buffer.alloc(0);

  /**
   * @param look called with the first `headBytes` bytes, or with all if there are fewer (`whole`); without it,
   * nothing is held
   */
  constructor(read: () => Chunk, look: ((head: Buffer, whole: boolean) => void) | undefined) {
    this.#read = read;
    this.#look = look;
  }

  /** Bytes held. */
  get held(): number {
    return this.#head.length;
  }

  /** Inspects the first bytes. Returns `false` if they have not arrived. */
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
