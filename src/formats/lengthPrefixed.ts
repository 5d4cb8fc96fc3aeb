import { types } from 'node:util';
import { checkOptions, required, type OptionNames } from '../config/checkOptions.js';
import { InvalidOption, parseSize, type Size } from '../config/units.js';
import { MillraceError } from '../errors.js';
import type { Format } from './format.js';
import { FrameCutter, readPrefix, writePrefix, type LengthPrefix } from './frames.js';
import type { ObjectDecoder } from './reader.js';
import { typeName } from './typeName.js';

/** Options of {@link lengthPrefixed}. */
export interface LengthPrefixedOptions {
  /** Bytes of the length. `varint`: 7 bits a byte, the lowest first, as in delimited protobuf messages. */
  readonly bytes: 1 | 2 | 4 | 8 | 'varint';
  /** The order of the length's bytes. Default `big`. It has no meaning for `varint`. */
  readonly endian?: 'big' | 'little';
  /** A longer record is malformed, and refused when it is written. Default 16 MiB. */
  readonly max?: Size;
}

const names: OptionNames<LengthPrefixedOptions> = { bytes: true, endian: true, max: true };

/**
 * Records of any bytes, each after its length: delimited protobuf messages, for example. Records are views into the block that
 * was read; copy those that are kept.
 *
 * A record is malformed if it is longer than `max` or `maxLineBytes`, or if the object ends before it does.
 *
 * Dead letters have `line` 0: there are no lines.
 *
 * Errors: `NotBytes` (a written record is not a `Uint8Array`), `TooLong` (it is longer than `max`, or than the length can
 * express), `InvalidOption`.
 *
 * @example
 * ```ts
 * const messages = files('s3://lake/events/**', { format: lengthPrefixed({ bytes: 'varint' }) });
 * ```
 */
export function lengthPrefixed(options: LengthPrefixedOptions): Format<Uint8Array> {
  const { bytes, endian = 'big', max = '16MiB' } = required('the options of lengthPrefixed', options);
  checkOptions('lengthPrefixed', options, names);
  if (![1, 2, 4, 8, 'varint'].includes(bytes))
    throw new InvalidOption('lengthPrefixed: bytes', bytes, "1, 2, 4, 8 or 'varint'");
  if (!['big', 'little'].includes(endian))
    throw new InvalidOption('lengthPrefixed: endian', endian, "'big' or 'little'");
  const prefix: LengthPrefix = { bytes, endian };
  const most = parseSize('lengthPrefixed: max', max);
  return {
    name: `frames of ${bytes} ${endian}`,
    extension: '.bin',
    block: 64 * 1024,
    decoder: () => decoderOf(prefix, most),
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
    decode(block, start, _line, on, malformed) {
      for (let from = 0; from < block.length;) {
        const found = readPrefix(prefix, block, from, block.length);
        const to = found === undefined ? Infinity : found.at + found.length;
        const reason =
          found === undefined || to > block.length
            ? `the object ends in a record${Number.isFinite(to) ? ` of ${to - from} bytes` : ''}`
            : found.length > most
              ? `it has ${found.length} bytes, and max is ${most}`
              : undefined;
        const end = Math.min(to, block.length);
        if (reason === undefined) on(block.subarray(found?.at ?? end, end));
        else {
          const text = block.toString('latin1', from, Math.min(end, from + excerptBytes));
          malformed({ offset: start + from, length: end - from, line: 0, text, reason });
        }
        from = end;
      }
      return 0;
    },
    dropped: () => 0,
  };
}

const excerptBytes = 256;
