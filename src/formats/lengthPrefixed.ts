import { types } from 'node:util';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checkOptions, required, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption, parseSize, type Size } from '../config/units.js';
import { MillraceError } from '../errors.js';
import type { Format } from './format.js';
import { FrameCutter, readPrefix, writePrefix, type LengthPrefix } from './frames.js';
import type { ObjectDecoder, Reader } from './reader.js';
import { typeName } from './typeName.js';
import { validated } from './validated.js';
import type { RowWriter } from './writer.js';

/** Options of {@link lengthPrefixed}. */
export interface LengthPrefixedOptions<T = Uint8Array> {
  /** Bytes of the length. `varint`: 7 bits a byte, the lowest first, as in delimited protobuf messages. */
  readonly bytes: 1 | 2 | 4 | 8 | 'varint';
  /** The order of the length's bytes. Default `big`. It has no meaning for `varint`. */
  readonly endian?: 'big' | 'little';
  /** A longer record is malformed, and refused when it is written. Default 16 MiB. */
  readonly max?: Size;
  /**
   * Validates every record that is read, and may transform it, for example decode a message: any Standard Schema (zod, valibot,
   * arktype, …) that validates synchronously. Records that it rejects are malformed.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
}

const names: OptionNames<LengthPrefixedOptions> = { bytes: true, endian: true, max: true, schema: true };

/**
 * Records of any bytes, each after its length: delimited protobuf messages, for example. Records are views into the block that
 * was read; copy those that are kept.
 *
 * A record is malformed if it is longer than `max` or `maxLineBytes`, if the object ends before it does, or if its length is not a
 * varint or is 2^53 or more: the rest of the object belongs to it then; or if the schema rejects it. The line of a malformed record is its number in the object.
 *
 * Errors: `AsyncSchema` (the schema validates asynchronously), `NotBytes` (a written record is not a `Uint8Array`), `TooLong` (it is longer than `max`, or than the length can
 * express), `InvalidOption`.
 *
 * @example
 * ```ts
 * const messages = files('s3://lake/events/**', { format: lengthPrefixed({ bytes: 'varint' }) });
 * ```
 */
export function lengthPrefixed<T>(
  options: LengthPrefixedOptions<T> & { readonly schema: StandardSchemaV1<unknown, T> },
): Reader<T> & RowWriter<Uint8Array>;
export function lengthPrefixed(options: LengthPrefixedOptions): Format<Uint8Array>;
export function lengthPrefixed(
  options: LengthPrefixedOptions<unknown>,
): Reader<unknown> & RowWriter<Uint8Array> {
  const { bytes, endian = 'big', max = '16MiB', schema } = required('the options of lengthPrefixed', options);
  checkOptions('lengthPrefixed', options, names);
  if (![1, 2, 4, 8, 'varint'].includes(bytes))
    throw new InvalidOption('lengthPrefixed: bytes', bytes, "1, 2, 4, 8 or 'varint'");
  if (!['big', 'little'].includes(endian))
    throw new InvalidOption('lengthPrefixed: endian', endian, "'big' or 'little'");
  const prefix: LengthPrefix = { bytes, endian };
  const most = parseSize('lengthPrefixed: max', max);
  const reader: Reader<Uint8Array> = {
    name: `frames of ${bytes} ${endian}`,
    block: 64 * 1024,
    decoder: () => decoderOf(prefix, most),
  };
  return {
    ...validated('lengthPrefixed', reader, schema, { text: excerptOf }),
    extension: '.bin',
    encode(record: unknown) {
      if (!types.isUint8Array(record))
        throw new MillraceError(
          'NotBytes',
          `A record is a value of type ${typeName(record)}, but lengthPrefixed() writes only Uint8Arrays: map it to one before the sink.`,
        );
      const length = record.length <= most ? writePrefix(prefix, record.length) : undefined;
      if (length !== undefined) return Buffer.concat([length, record]);
      const limit = record.length > most ? `max is ${most}` : `the length has ${bytes} bytes`;
      throw new MillraceError('TooLong', `A record has ${record.length} bytes, but ${limit}: raise it.`);
    },
  };
}

function decoderOf(prefix: LengthPrefix, most: number): ObjectDecoder<Uint8Array> {
  const cutter = new FrameCutter(prefix);
  return {
    first: (bytes, from, to) => cutter.first(bytes, from, to),
    last: (bytes, from, to) => cutter.last(bytes, from, to),
    decode(block, start, line, on, malformed) {
      let records = 0;
      for (let from = 0; from < block.length; records++) {
        const found = readPrefix(prefix, block, from, block.length);
        const reason = found === undefined ? endsEarly : fault(prefix, found, block, from, most);
        const end = found === undefined ? block.length : Math.min(found.at + found.length, block.length);
        if (reason === undefined) on(block.subarray(found?.at ?? end, end));
        else {
          const text = excerptOf(block.subarray(from, end));
          malformed({ offset: start + from, length: end - from, line: line + records, text, reason });
        }
        from = end;
      }
      return records;
    },
  };
}

const endsEarly = 'the object ends in the length of a record';

/** Why a record that begins at `from` is malformed; `undefined` if it is not. A record that is cut short ends its object. */
function fault(
  { bytes }: LengthPrefix,
  { at, length }: { readonly at: number; readonly length: number },
  block: Buffer,
  from: number,
  most: number,
): string | undefined {
  if (length === Infinity) {
    const endless = bytes === 'varint' && (block[at - 1] ?? 0) >= 0x80;
    return `its length, ${block.toString('hex', from, at)}, ${endless ? 'is not a varint' : 'is 2^53 or more'}`;
  }
  if (at + length > block.length) return `the object ends in a record of ${at - from + length} bytes`;
  return length > most ? `it has ${length} bytes, and max is ${most}` : undefined;
}

const excerptOf = (bytes: Buffer): string => bytes.toString('latin1', 0, 256);
