import { defer, from, ignoreElements, map, of, type Observable } from 'rxjs';
import type { Written } from '../types.js';
import type { ObjectWriter } from '../writer/index.js';
import { bodyOf, bytesOf, optionsOf, type Data, type EncodingOptions } from './data.js';
import { FsError, notSupported } from './errors.js';
import { FileHandle } from './fileHandle.js';
import { answer, promised } from './promised.js';
import { Stats } from './stats.js';
import { WriteStream, type WriteStreamOptions } from './writeStream.js';

/** An object being written. `close` publishes it; if a write has failed, it rejects and drops the written data. */
export class WriteHandle extends FileHandle {
  readonly #uri: string;
  readonly #writer: ObjectWriter;
  /** Writes run in sequence, even if callers do not await them. */
  #last: Promise<unknown> = Promise.resolve();
  #written: Written | undefined;

  constructor(path: string, uri: string, writer: ObjectWriter) {
    super(path);
    this.#uri = uri;
    this.#writer = writer;
  }

  override stat(): Promise<Stats> {
    return Promise.resolve(
      new Stats({ uri: this.#uri, name: '', kind: 'object', size: this.#writer.size, modified: 0 }),
    );
  }

  override async write<T extends string | NodeJS.ArrayBufferView>(
    data: T,
    ...[first, second, third]: readonly unknown[]
  ): Promise<{ bytesWritten: number; buffer: T }> {
    const bytes =
      typeof data === 'string' ? bytesOf(data, second as BufferEncoding) : slice(data, first, second);
    const position = typeof data === 'string' ? first : positionOf(first, third);
    await this.#append(bytes, position);
    return { bytesWritten: bytes.length, buffer: data };
  }

  override async writev<T extends readonly NodeJS.ArrayBufferView[]>(
    buffers: T,
    position?: number | null,
  ): Promise<{ bytesWritten: number; buffers: T }> {
    const bytes = Buffer.concat(buffers.map((each) => bytesOf(each)));
    await this.#append(bytes, position);
    return { bytesWritten: bytes.length, buffers };
  }

  override async writeFile(data: Data, options?: EncodingOptions | BufferEncoding | null): Promise<void> {
    const body = bodyOf(data, optionsOf(options).encoding);
    if (typeof body === 'string' || body instanceof Uint8Array) return this.#append(bytesOf(body));
    for await (const piece of body as AsyncIterable<Uint8Array>) await this.#append(piece);
  }

  override createWriteStream(options: WriteStreamOptions = {}): WriteStream {
    const { autoClose = true } = options;
    const writer = {
      write: (bytes: Uint8Array) => defer(() => this.#append(bytes)).pipe(ignoreElements()),
      end: (): Observable<Written | undefined> =>
        autoClose ? defer(() => this.close()).pipe(map(() => this.#written)) : of(undefined),
      abort: () => (autoClose ? defer(() => this.abort()).pipe(ignoreElements()) : from([])),
    };
    return new WriteStream(this.path, of(writer), options, this.call('write'));
  }

  protected override async release(): Promise<void> {
    try {
      await this.#last;
      this.#written = await answer(this.#writer.end(), this.call('close'));
    } catch (error) {
      await this.drop();
      throw error;
    }
  }

  protected override async drop(): Promise<void> {
    await promised(this.#writer.abort(), this.call('close'));
  }

  async #append(bytes: Uint8Array, position?: unknown): Promise<void> {
    const call = this.call('write');
    if (this.closed) throw new FsError('EBADF', call);
    const written = this.#last.then(async () => {
      if (typeof position === 'number' && position !== this.#writer.size)
        throw notSupported(call, 'An object is written from its start to its end.');
      await promised(this.#writer.write(bytes), call);
    });
    this.#last = written;
    // Reported to callers that await the write, and by `close`.
    written.catch(() => undefined);
    await written;
  }
}

/** The bytes of `(buffer, offset, length, position)` or `(buffer, { offset, length, position })`. */
function slice(data: NodeJS.ArrayBufferView, first: unknown, second: unknown): Uint8Array {
  const bytes = bytesOf(data);
  const options = typeof first === 'object' && first !== null ? first : { offset: first, length: second };
  const { offset, length } = options as { readonly offset?: number | null; readonly length?: number | null };
  const start = offset ?? 0;
  return bytes.subarray(start, start + (length ?? bytes.length - start));
}

function positionOf(first: unknown, third: unknown): unknown {
  return typeof first === 'object' && first !== null
    ? (first as { readonly position?: unknown }).position
    : third;
}
