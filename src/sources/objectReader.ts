import { monotonic, type Clock } from '../flow/index.js';
import type { Malformed, ObjectDecoder, Reader } from '../formats/reader.js';
import type { BlockSize } from './blockSize.js';
import type { FileObject } from './discovery.js';
import { stateOf, type ObjectPosition } from './filesPosition.js';
import type { MalformedRecords } from './malformedRecords.js';
import { ObjectBytes, type ObjectBytesOptions } from './objectBytes.js';
import { locate, type RecordPlace } from './place.js';
import { Slicer, type Piece } from './slicer.js';
import { SplitBytes } from './splitBytes.js';
import type { SourceOutput } from './source.js';

export interface ObjectReaderOptions<T> extends Omit<ObjectBytesOptions, 'text'> {
  readonly format: Reader<T>;
  readonly malformed: MalformedRecords;
  readonly maxLineBytes: number;
  readonly blockSize: BlockSize;
  readonly clock: Clock;
}

/**
 * Turns the (decompressed) chunks of one object into records: call `pass`, or `feed` if it has none.
 */
export class ObjectReader<T> {
  readonly object: FileObject;
  readonly #options: ObjectReaderOptions<T>;
  readonly #bytes: ObjectBytes;
  readonly #slicer: Slicer;
  readonly #decoder: ObjectDecoder<T>;
  /** Of a split. */
  readonly #split: SplitBytes | undefined;
  /** Lines read. */
  #line: number;
  /** The slicer has got everything. */
  #ended = false;
  /** Locates the record that is being passed on. */
  #place: (() => RecordPlace) | undefined;

  constructor(options: ObjectReaderOptions<T>) {
    const { object, format, maxLineBytes, blockSize } = options;
    this.object = object;
    this.#options = options;
    const { offset, line, state } = object.resume ?? { offset: 0, line: 0, state: undefined };
    const { uri, etag, size, split } = object;
    this.#line = line;
    const decoder = (): ObjectDecoder<T> => format.decoder({ object: uri, etag, size, offset, state });
    this.#split = split && new SplitBytes(options.fetched, split, offset, decoder);
    const fetched = this.#split ?? options.fetched;
    this.#bytes = new ObjectBytes({ ...options, fetched, text: format.text ?? false });
    this.#decoder = decoder();
    this.#slicer = new Slicer(this.#decoder, offset, maxLineBytes, blockSize.largest);
  }

  /** Bytes in memory after the fetcher: decompressed ahead, of the record in progress, and of the decoder. */
  get held(): number {
    const chunk = this.#bytes.decompressed ? this.#slicer.chunk : 0;
    return this.#bytes.held + chunk + this.#slicer.carried + (this.#decoder.held ?? 0);
  }

  /** Whether the object's last record has been passed on. */
  get atEnd(): boolean {
    return this.#slicer.drained && (this.#ended || this.#bytes.over);
  }

  /** Whether nothing of the object has been passed on. */
  get unread(): boolean {
    const { offset } = this.#slicer;
    return offset === (this.#split === undefined ? 0 : (this.#split.start ?? offset));
  }

  /** The position after the last piece. Errors: `BadDecoderState`. */
  get position(): ObjectPosition {
    const { key, etag, uri, split } = this.object;
    const { format } = this.#options;
    const offset = this.#slicer.offset;
    return {
      key,
      etag,
      offset,
      line: this.#countsLines ? this.#line : 0,
      format: format.name,
      ...(split === undefined ? {} : { split: { begin: split.begin, end: split.end } }),
      ...(offset === 0 ? {} : stateOf(format, this.#decoder, uri)),
      ...this.#bytes.at(offset),
    };
  }

  /** Bytes of the object that were read, as the store holds them. */
  get stored(): number {
    return this.#bytes.stored(this.#slicer.offset);
  }

  /** The record that is being passed on or decoded. */
  get place(): RecordPlace | undefined {
    return this.#place?.();
  }

  /** The fetcher knows. */
  readonly waitsFor = undefined;

  /** Passes more bytes, or the end, to the slicer. Returns `false` if nothing has arrived. */
  feed(): boolean {
    const chunk = this.#bytes.read();
    if (chunk === 'wait') return false;
    if (chunk === 'end') {
      this.#slicer.end();
      this.#ended = true;
      return true;
    }
    if (this.#split?.start !== undefined && this.#slicer.offset < this.#split.start)
      this.#slicer.skipTo(this.#split.start);
    // Frees members even if no position is requested.
    this.#bytes.passed(this.#slicer.offset);
    this.#slicer.push(chunk);
    return true;
  }

  /**
   * Passes the next block of records on, and returns its bytes; `undefined` when it needs to be fed. Errors:
   * `MalformedRecord`, and errors of the decoder and the output.
   */
  pass(out: SourceOutput<T>): number | undefined {
    const piece = this.#slicer.next(this.#options.blockSize.limit);
    if (piece === undefined) return undefined;
    if (piece.kind === 'records') this.#timed(piece.bytes, piece.start, out);
    else this.#drop(piece, out);
    this.#place = undefined;
    return piece.kind === 'records' ? piece.bytes.length : piece.length;
  }

  /** The object is read to its end: reports it as malformed if it is not complete. Errors: `MalformedRecord`. */
  end(out: SourceOutput<T>): void {
    const reason = this.#decoder.missing?.();
    const offset = this.#slicer.offset;
    if (reason !== undefined)
      this.#malformed({ offset, length: 0, line: this.#line + 1, text: '', reason }, out);
  }

  close(): void {
    this.#bytes.close();
  }

  /** A split does not know how many lines are before it. */
  get #countsLines(): boolean {
    return (this.object.split?.begin ?? 0) === 0;
  }

  #timed(bytes: Buffer, start: number, out: SourceOutput<T>): void {
    const { clock, blockSize } = this.#options;
    const began = monotonic(clock);
    this.#decode(bytes, start, out);
    blockSize.took(bytes.length, monotonic(clock) - began);
  }

  #decode(bytes: Buffer, start: number, out: SourceOutput<T>): void {
    const line = this.#line + 1;
    const before = out.taken;
    const state = start === 0 ? undefined : this.#decoder.state?.();
    const inBlock = (): RecordPlace => {
      const block = { object: this.object.uri, bytes, start, line, state };
      const { offset, ...lines } = locate(this.#options.format, block, out.taken - before);
      return { object: this.object.uri, offset, ...(this.#countsLines ? lines : {}) };
    };
    this.#place = inBlock;
    this.#line += this.#decoder.decode(
      bytes,
      start,
      line,
      (record) => out.record(record),
      (bad) => {
        this.#malformed(bad, out);
        this.#place = inBlock;
      },
    );
  }

  #drop({ start, length, excerpt }: Extract<Piece, { kind: 'oversized' }>, out: SourceOutput<T>): void {
    const line = this.#line + 1;
    this.#line += this.#decoder.dropped?.() ?? 1;
    const text = excerpt.toString('utf8');
    const reason = `longer than ${this.#options.maxLineBytes} bytes`;
    this.#malformed({ offset: start, length, line, text, reason }, out);
  }

  #malformed(bad: Malformed, out: SourceOutput<T>): void {
    const { offset, line } = bad;
    const { uri } = this.object;
    this.#place = () => ({ object: uri, offset, ...(this.#countsLines ? { line } : {}) });
    this.#options.malformed.take(uri, this.#countsLines ? bad : { ...bad, line: 0 }, out);
  }
}
