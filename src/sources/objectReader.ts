import { gunzip, type Decoder } from '../formats/codec.js';
import type { Cutter } from '../formats/format.js';
import type { Fetcher } from './fetcher.js';
import type { ObjectPosition } from './filesPosition.js';
import type { FileObject } from './listing.js';
import { Slicer, type Piece } from './slicer.js';

export interface ObjectReaderOptions {
  readonly object: FileObject;
  /** Has the object as its current one. */
  readonly fetcher: Fetcher<FileObject>;
  readonly cutter: Cutter;
  readonly maxLineBytes: number;
  /** Bytes of a block at most. */
  readonly block: number;
  /** There may be more to read. */
  readonly ready: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * One object on its way from stored chunks to blocks of whole records: fetcher → decoder → slicer, or, where it is not
 * compressed, fetcher → slicer. A resumed one starts at the position's member and drops what was read before.
 */
export class ObjectReader {
  readonly object: FileObject;
  /** Lines read; whoever decodes the blocks counts. */
  line: number;
  readonly #fetcher: Fetcher<FileObject>;
  readonly #slicer: Slicer;
  readonly #decoder: Decoder | undefined;
  /** Decompressed bytes yet to be dropped to get to the position that is resumed. */
  #discard: number;
  /** The slicer has got everything. */
  #ended = false;

  constructor({ object, fetcher, cutter, maxLineBytes, block, ready, fail }: ObjectReaderOptions) {
    const { uri, codec, resume } = object;
    const offset = resume?.offset ?? 0;
    const from = codec === 'none' ? { at: offset, offset } : (resume?.member ?? { at: 0, offset: 0 });
    this.object = object;
    this.line = resume?.line ?? 0;
    this.#fetcher = fetcher;
    this.#decoder = codec === 'none' ? undefined : gunzip({ object: uri, from, ready, fail });
    this.#slicer = new Slicer(cutter, offset, maxLineBytes, block);
    this.#discard = offset - from.offset;
  }

  /** Bytes in memory behind the fetcher: decompressed ahead, and of the record in progress. */
  get held(): number {
    return (this.#decoder?.held ?? 0) + this.#slicer.carried;
  }

  /** Whether the object's last record is out. Known at once for a plain object, so that it is not opened again. */
  get atEnd(): boolean {
    return (
      this.#slicer.drained && (this.#ended || (this.#decoder === undefined && this.#fetcher.atObjectEnd))
    );
  }

  /** Behind the last piece. */
  get position(): ObjectPosition {
    const { key, etag } = this.object;
    const offset = this.#slicer.offset;
    const member = this.#decoder?.member(offset);
    return { key, etag, offset, line: this.line, ...(member === undefined ? {} : { member }) };
  }

  /** The next piece; `undefined` when it needs to be fed. */
  next(): Piece | undefined {
    return this.#slicer.next();
  }

  /** Gives the slicer more bytes, or tells it that there are none; false if nothing is here. */
  feed(): boolean {
    return this.#decoder === undefined ? this.#feedStored() : this.#feedDecoded(this.#decoder);
  }

  close(): void {
    this.#decoder?.close();
  }

  #feedStored(): boolean {
    const chunk = this.#fetcher.read();
    if (chunk === 'wait') return false;
    if (chunk === 'end') this.#end();
    else this.#slicer.push(chunk);
    return true;
  }

  #feedDecoded(decoder: Decoder): boolean {
    while (decoder.hungry) {
      const chunk = this.#fetcher.read();
      if (chunk === 'wait') break;
      if (chunk === 'end') decoder.finish();
      else decoder.push(chunk);
    }
    const chunk = decoder.read();
    if (chunk !== undefined) {
      const drop = Math.min(this.#discard, chunk.length);
      this.#discard -= drop;
      // Forgets the members that are passed, also when nobody asks for a position.
      decoder.member(this.#slicer.offset);
      this.#slicer.push(chunk.subarray(drop));
      return true;
    }
    if (decoder.over) this.#end();
    return decoder.over;
  }

  #end(): void {
    this.#slicer.end();
    this.#ended = true;
  }
}
