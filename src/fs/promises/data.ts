import { constants } from 'node:buffer';
import type { WriteBody } from '../types.js';
import { argumentError } from './errors.js';

/** The data that Node's functions write. */
export type Data =
  | string
  | NodeJS.ArrayBufferView
  | Iterable<string | NodeJS.ArrayBufferView>
  | AsyncIterable<string | NodeJS.ArrayBufferView>;

export interface EncodingOptions {
  readonly encoding?: BufferEncoding | 'buffer' | null | undefined;
}

/** The options of a call, which may be just an encoding. */
export function optionsOf<O extends object>(options: O | string | null | undefined): O & EncodingOptions {
  const given = typeof options === 'string' ? { encoding: options } : (options ?? {});
  const { encoding } = given as EncodingOptions;
  if (encoding !== undefined && encoding !== null && encoding !== 'buffer' && !Buffer.isEncoding(encoding)) {
    throw argumentError(
      'ERR_INVALID_ARG_VALUE',
      `The argument 'encoding' is invalid encoding. Received '${String(encoding)}'`,
    );
  }
  return given as O & EncodingOptions;
}

export function decoded(bytes: Buffer, encoding: EncodingOptions['encoding']): string | Buffer {
  return encoding === undefined || encoding === null || encoding === 'buffer'
    ? bytes
    : bytes.toString(encoding);
}

/** A name or path in the requested encoding; a Buffer for `buffer`. */
export function named(text: string, encoding: EncodingOptions['encoding']): string | Buffer {
  if (encoding === 'buffer') return Buffer.from(text);
  return encoding === undefined || encoding === null ? text : Buffer.from(text).toString(encoding);
}

/** The bytes of one piece of data; views are not copied. Throws `ERR_INVALID_ARG_TYPE`. */
export function bytesOf(data: unknown, encoding?: EncodingOptions['encoding']): Uint8Array {
  if (typeof data === 'string')
    return Buffer.from(data, encoding === 'buffer' ? undefined : (encoding ?? 'utf8'));
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw argumentError(
    'ERR_INVALID_ARG_TYPE',
    'The "data" argument must be of type string or an instance of Buffer, TypedArray, DataView, Stream, Iterable or AsyncIterable.',
  );
}

/** Converts data to the body of a write. */
export function bodyOf(data: Data, encoding?: EncodingOptions['encoding']): WriteBody {
  if (typeof data === 'string' || ArrayBuffer.isView(data)) return bytesOf(data, encoding);
  if (typeof data !== 'object' || !(Symbol.asyncIterator in data || Symbol.iterator in data))
    return bytesOf(data);
  return pieces(data, encoding);
}

async function* pieces(
  data: Iterable<string | NodeJS.ArrayBufferView> | AsyncIterable<string | NodeJS.ArrayBufferView>,
  encoding: EncodingOptions['encoding'],
): AsyncGenerator<Uint8Array> {
  for await (const piece of data) yield bytesOf(piece, encoding);
}

/** Memory for a whole file. Throws `ERR_FS_FILE_TOO_LARGE`. */
export function bufferOf(size: number): Buffer {
  if (size <= constants.MAX_LENGTH) return Buffer.allocUnsafeSlow(size);
  const message = `File size (${size}) is greater than ${constants.MAX_LENGTH} bytes. Read it by a stream.`;
  throw Object.assign(new RangeError(message), { code: 'ERR_FS_FILE_TOO_LARGE' });
}
