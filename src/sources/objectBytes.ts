import { gunzip, type CodecName, type Decoder, type MemberStart } from '../formats/codec.js';
import { checkText, codecOf } from '../formats/detect.js';
import type { Fetcher } from './fetcher.js';
import { codecAt } from './filesPosition.js';
import type { FileObject } from './listing.js';
import { Preview, type Chunk } from './preview.js';

export interface ObjectBytesOptions {
  readonly id: string;
  readonly object: FileObject;
  /** Has the object as its current one. */
  readonly fetcher: Fetcher<FileObject>;
  readonly compression: CodecName | 'auto';
  /** What is inside is read as text. */
  readonly text: boolean;
  /** There may be more to read. */
  readonly ready: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * The decompressed bytes of one object, from where it is resumed.
 *
 * The codec is the one the user set, or that of the run that is resumed, or what the first bytes tell. What is no text
 * and is to be read as such is refused by its first bytes, too.
 */
export class ObjectBytes {
  readonly #options: ObjectBytesOptions;
  readonly #stored: Preview;
  readonly #content: Preview;
  #decoder: Decoder | undefined;
  /** Decompressed bytes yet to be dropped to get to the position that is resumed. */
  #discard = 0;

  constructor(options: ObjectBytesOptions) {
    this.#options = options;
    const { id, object, fetcher, compression, text } = options;
    const resume = object.resume;
    this.#stored = new Preview(
      () => fetcher.read(),
      resume === undefined
        ? (head, whole) => {
            this.#open(compression === 'auto' ? this.#detect(head, whole) : compression);
          }
        : undefined,
    );
    this.#content = new Preview(
      () => this.#read(),
      resume === undefined && text
        ? (head) => {
            if (this.#decoder !== undefined || compression === 'none')
              checkText(object.uri, head, this.#decoder === undefined ? 'none' : 'gzip');
          }
        : undefined,
    );
    if (resume !== undefined) this.#open(codecAt(id, resume, compression));
  }

  /** Bytes in memory behind the fetcher. */
  get held(): number {
    return (this.#decoder?.held ?? 0) + this.#stored.held + this.#content.held;
  }

  /** Whether nothing is left. Known at once for a plain object, for a compressed one when it is decompressed. */
  get over(): boolean {
    if (this.held > 0) return false;
    return this.#decoder === undefined ? this.#options.fetcher.atObjectEnd : this.#decoder.over;
  }

  /** Errors: `UnknownCodec`, `NotUtf8`. */
  read(): Chunk {
    return this.#content.read();
  }

  /** Where decompression has to start to get to `offset`, which must not regress; `undefined` in a plain object. */
  member(offset: number): MemberStart | undefined {
    return this.#decoder?.member(offset);
  }

  close(): void {
    this.#decoder?.close();
  }

  #detect(head: Buffer, whole: boolean): CodecName {
    const { object, fetcher, text } = this.#options;
    return codecOf({ uri: object.uri, encoding: fetcher.content?.encoding, head, whole, text });
  }

  #open(codec: CodecName): void {
    if (codec === 'none') return;
    const { object, ready, fail } = this.#options;
    const { offset = 0, member = { at: 0, offset: 0 } } = object.resume ?? {};
    this.#discard = offset - member.offset;
    this.#decoder = gunzip({ object: object.uri, from: member, ready, fail });
  }

  #read(): Chunk {
    if (!this.#stored.open()) return 'wait';
    const decoder = this.#decoder;
    if (decoder === undefined) return this.#stored.read();
    while (decoder.hungry) {
      const chunk = this.#stored.read();
      if (chunk === 'wait') break;
      if (chunk === 'end') decoder.finish();
      else decoder.push(chunk);
    }
    const chunk = decoder.read();
    if (chunk === undefined) return decoder.over ? 'end' : 'wait';
    const drop = Math.min(this.#discard, chunk.length);
    this.#discard -= drop;
    return chunk.subarray(drop);
  }
}
