import type { FileReadResult } from 'node:fs/promises';
import { createInterface, type Interface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { defer } from 'rxjs';
import { nameOf } from '../operations/place.js';
import type { SeekableReader } from '../../store/reader/index.js';
import type { Client } from './client.js';
import { bufferOf, bytesOf, decoded, optionsOf, type EncodingOptions } from './data.js';
import { toFsError } from './errors.js';
import { FileHandle, type HandleReadOptions, type ReadArguments } from './fileHandle.js';
import { outOfRange, rangeOf, ReadStream, type ReadStreamOptions } from './readStream.js';
import { answer } from './promised.js';
import { Stats } from './stats.js';

/** An object open for reading, pinned to the version that was opened. */
export class ReadHandle extends FileHandle {
  readonly #client: Client;
  readonly #uri: string;
  readonly #reader: SeekableReader;

  constructor(client: Client, path: string, uri: string, reader: SeekableReader) {
    super(path);
    this.#client = client;
    this.#uri = uri;
    this.#reader = reader;
  }

  override stat(): Promise<Stats> {
    const { info } = this.#reader;
    return Promise.resolve(new Stats({ ...info, uri: this.#uri, name: nameOf(info.key), kind: 'object' }));
  }

  override async read<T extends NodeJS.ArrayBufferView = Buffer>(
    ...args: ReadArguments<T>
  ): Promise<FileReadResult<T>> {
    const given = readOptions(args);
    const buffer = given.buffer ?? (Buffer.alloc(16_384) as NodeJS.ArrayBufferView as T);
    const into = bytesOf(buffer);
    const offset = given.offset ?? 0;
    const length = given.length ?? into.length - offset;
    if (offset < 0 || offset > into.length) throw outOfRange('offset', `>= 0 && <= ${into.length}`, offset);
    if (length < 0 || length > into.length - offset)
      throw outOfRange('length', `>= 0 && <= ${into.length - offset}`, length);
    const at =
      given.position === null || given.position === undefined || given.position < 0
        ? undefined
        : Number(given.position);
    const bytesRead = await answer(
      this.#reader.read(into.subarray(offset, offset + length), at),
      this.call('read'),
    );
    return { bytesRead, buffer };
  }

  override async readv<T extends readonly NodeJS.ArrayBufferView[]>(
    buffers: T,
    position?: number | null,
  ): Promise<{ bytesRead: number; buffers: T }> {
    let bytesRead = 0;
    for (const buffer of buffers) {
      const at = typeof position === 'number' ? position + bytesRead : null;
      const { bytesRead: more } = await this.read(buffer, null, null, at);
      bytesRead += more;
      if (more < buffer.byteLength) break;
    }
    return { bytesRead, buffers };
  }

  override async readFile(options?: EncodingOptions | BufferEncoding | null): Promise<string | Buffer> {
    const { encoding } = optionsOf(options);
    const rest = bufferOf(Math.max(0, this.#reader.end - this.#reader.position));
    await answer(this.#reader.read(rest), this.call('read'));
    return decoded(rest, encoding);
  }

  override readLines(options: ReadStreamOptions = {}): Interface {
    return createInterface({ input: this.createReadStream(options), crlfDelay: Infinity });
  }

  override readableWebStream(): ReadableStream {
    return Readable.toWeb(this.createReadStream({ autoClose: false }));
  }

  override createReadStream(options: ReadStreamOptions = {}): ReadStream {
    const { autoClose = true } = options;
    const range = rangeOf({ ...options, start: options.start ?? this.#reader.position });
    const { contents, config } = this.#client;
    const open = defer(() => contents.sequential(this.#uri, { range }, this.#reader.info));
    const highWaterMark = options.highWaterMark ?? config.transfer.readBuffer;
    const call = this.call('read');
    const stream = new ReadStream(this.path, open, { ...options, highWaterMark }, (error) =>
      toFsError(error, call),
    );
    if (autoClose) stream.once('close', () => void this.close());
    return stream;
  }

  protected override release(): Promise<void> {
    this.#reader.close();
    return Promise.resolve();
  }

  protected override drop(): Promise<void> {
    return this.release();
  }
}

function readOptions<T extends NodeJS.ArrayBufferView>(args: ReadArguments<T>): HandleReadOptions<T> {
  const [first, second, length = null, position = null] = args;
  if (!ArrayBuffer.isView(first)) return first ?? {};
  if (typeof second === 'object' && second !== null) return { ...second, buffer: first };
  return { buffer: first, offset: second ?? null, length, position };
}
