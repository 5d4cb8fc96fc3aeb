import { MillraceError } from '../errors.js';
import type { Codec, Decompressor, MemberStart } from '../formats/decompressor.js';
import { codecNamed, type CodecName } from '../formats/codec.js';
import { checkText, codecOf } from '../formats/detect.js';
import type { FileObject } from './discovery.js';
import { codecAt, type ObjectPosition } from './filesPosition.js';
import { Preview, type Chunk } from './preview.js';
import type { StoredBytes } from './splitBytes.js';

export interface ObjectBytesOptions {
  readonly id: string;
  readonly object: FileObject;
  /** Its bytes. */
  readonly fetched: StoredBytes;
  readonly compression: CodecName | 'auto';
  /** Whether the content is read as text. */
  readonly text: boolean;
  /** The maximum size of decompressed content, as a multiple of the stored size. */
  readonly maxExpansion: number;
  /** There may be more to read. */
  readonly ready: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * The decompressed bytes of one object, from where it is resumed.
 *
 * The codec is the one the user set, or that of the resumed run, or detected from the first bytes. Content that is read
 * as text is also checked by its first bytes. An object that is read in splits was looked at before, and is not compressed.
 */
export class ObjectBytes {
  readonly #options: ObjectBytesOptions;
  readonly #stored: Preview;
  readonly #content: Preview;
  #codec: Codec | undefined;
  #decompressor: Decompressor | undefined;
  /** Bytes of the object that the decompressor has got. */
  #taken: number;
  /** Decompressed bytes to drop before the resumed position. */
  #discard = 0;
  /** The offset in the decompressed object. */
  #offset = 0;
  readonly #mostContent: number;

  constructor(options: ObjectBytesOptions) {
    this.#options = options;
    const { id, object, fetched, compression, text } = options;
    const { resume, split } = object;
    const begins = resume === undefined && split === undefined;
    this.#mostContent = Math.max(neverABomb, options.maxExpansion * object.size);
    this.#taken = object.from;
    this.#stored = new Preview(
      () => fetched.read(),
      begins
        ? (head, whole) => {
            this.#open(compression === 'auto' ? this.#detect(head, whole) : codecNamed(compression));
          }
        : undefined,
    );
    this.#content = new Preview(
      () => this.#read(),
      begins && text
        ? (head) => {
            // `auto` has already checked content that is not compressed.
            if (this.#codec !== undefined || compression === 'none') checkText(object.uri, head, this.#codec);
          }
        : undefined,
    );
    if (resume !== undefined) this.#open(codecAt(id, object.uri, resume, compression));
  }

  /** Bytes in memory after the fetcher. */
  get held(): number {
    return (this.#decompressor?.held ?? 0) + this.#stored.held + this.#content.held;
  }

  /** Whether what is read is not what the fetcher holds. */
  get decompressed(): boolean {
    return this.#decompressor !== undefined;
  }

  /** Whether nothing is left. For a compressed object it is known only when it is decompressed. */
  get over(): boolean {
    if (this.#stored.held + this.#content.held > 0) return false;
    return this.#decompressor === undefined ? this.#options.fetched.atEnd : this.#decompressor.over;
  }

  /** Errors: `UnknownCodec`, `NotUtf8`, `DecompressionBomb`. */
  read(): Chunk {
    return this.#content.read();
  }

  /** The part of a position that leads to `offset`, which must not regress: where to start decompressing. */
  at(offset: number): Pick<ObjectPosition, 'compressed'> {
    const member = this.#decompressor?.member(offset);
    return member === undefined || this.#codec === undefined
      ? {}
      : { compressed: { codec: this.#codec.name, at: member.at, offset: member.offset } };
  }

  /** Bytes that were read as the store holds them, where `offset` is read. */
  stored(offset: number): number {
    return this.#decompressor === undefined ? offset : this.#taken;
  }

  /** Forgets the members before `offset`, which must not regress. */
  passed(offset: number): void {
    this.#decompressor?.member(offset);
  }

  close(): void {
    this.#decompressor?.close();
  }

  #detect(head: Buffer, whole: boolean): Codec | undefined {
    const { object, fetched, text } = this.#options;
    return codecOf({ uri: object.uri, encoding: fetched.content?.encoding, head, whole, text });
  }

  #open(codec: Codec | undefined): void {
    this.#codec = codec;
    if (codec === undefined) return;
    const { object, ready, fail } = this.#options;
    const { offset = 0, compressed: from = objectStart } = object.resume ?? {};
    this.#discard = offset - from.offset;
    this.#offset = from.offset;
    this.#decompressor = codec.open({
      object: object.uri,
      from: { at: from.at, offset: from.offset },
      ready,
      fail,
    });
  }

  #read(): Chunk {
    if (!this.#stored.open()) return 'wait';
    const decompressor = this.#decompressor;
    if (decompressor === undefined) return this.#stored.read();
    while (decompressor.hungry) {
      const chunk = this.#stored.read();
      if (chunk === 'wait') break;
      if (chunk === 'end') decompressor.finish();
      else {
        this.#taken += chunk.length;
        decompressor.push(chunk);
      }
    }
    const chunk = decompressor.read();
    if (chunk === undefined) return decompressor.over ? 'end' : 'wait';
    this.#offset += chunk.length;
    if (this.#offset > this.#mostContent) throw this.#bomb();
    const drop = Math.min(this.#discard, chunk.length);
    this.#discard -= drop;
    return chunk.subarray(drop);
  }

  #bomb(): MillraceError {
    const { object, maxExpansion } = this.#options;
    return new MillraceError(
      'DecompressionBomb',
      `${object.uri} has ${object.size} bytes, and more than ${this.#mostContent} decompressed. Leave it out of the URI's glob, or raise maxExpansion (${maxExpansion}) if its content is meant.`,
    );
  }
}

/** Content that is read whatever its stored size. Bytes. */
const neverABomb = 64 * 1024 * 1024;

const objectStart: MemberStart = { at: 0, offset: 0 };
