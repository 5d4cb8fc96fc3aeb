import type { Cutter } from '../formats/format.js';
import type { ObjectPosition } from './filesPosition.js';
import type { FileObject } from './listing.js';
import { ObjectBytes, type ObjectBytesOptions } from './objectBytes.js';
import { Slicer, type Piece } from './slicer.js';

export interface ObjectReaderOptions extends ObjectBytesOptions {
  readonly cutter: Cutter;
  readonly maxLineBytes: number;
  /** Bytes of a block at most. */
  readonly block: number;
}

/** One object on its way from (decompressed) chunks to blocks of whole records. */
export class ObjectReader {
  readonly object: FileObject;
  /** Lines read; counted where the blocks are decoded. */
  line: number;
  readonly #bytes: ObjectBytes;
  readonly #slicer: Slicer;
  /** The slicer has got everything. */
  #ended = false;

  constructor(options: ObjectReaderOptions) {
    const { object, cutter, maxLineBytes, block } = options;
    this.object = object;
    this.line = object.resume?.line ?? 0;
    this.#bytes = new ObjectBytes(options);
    this.#slicer = new Slicer(cutter, object.resume?.offset ?? 0, maxLineBytes, block);
  }

  /** Bytes in memory behind the fetcher: decompressed ahead, and of the record in progress. */
  get held(): number {
    return this.#bytes.held + this.#slicer.carried;
  }

  /** Whether the object's last record is out. */
  get atEnd(): boolean {
    return this.#slicer.drained && (this.#ended || this.#bytes.over);
  }

  /** Behind the last piece. */
  get position(): ObjectPosition {
    const { key, etag } = this.object;
    const offset = this.#slicer.offset;
    const member = this.#bytes.member(offset);
    return { key, etag, offset, line: this.line, ...(member === undefined ? {} : { member }) };
  }

  /** The next piece; `undefined` when it needs to be fed. */
  next(): Piece | undefined {
    return this.#slicer.next();
  }

  /** Gives the slicer more bytes, or tells it that there are none; false if nothing is here. */
  feed(): boolean {
    const chunk = this.#bytes.read();
    if (chunk === 'wait') return false;
    if (chunk === 'end') {
      this.#slicer.end();
      this.#ended = true;
      return true;
    }
    // Forgets the members that are passed, also when nobody asks for a position.
    this.#bytes.member(this.#slicer.offset);
    this.#slicer.push(chunk);
    return true;
  }

  close(): void {
    this.#bytes.close();
  }
}
