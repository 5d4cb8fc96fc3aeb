import { types } from 'node:util';
import { MillraceError } from '../errors.js';
import type { Format } from './format.js';
import type { ObjectDecoder } from './reader.js';
import { typeName } from './typeName.js';

/** Every place is a boundary. */
const asTheyCome: ObjectDecoder<Uint8Array> = {
  first: (_bytes, _from, to) => to,
  last: (_bytes, _from, to) => to,
  decode(block, _start, _line, on) {
    on(block);
    return 0;
  },
};

/**
 * The bytes themselves, in blocks as they arrive (at most 64 KiB each), uncopied: for those who only count, hash or
 * forward. Where a block ends means nothing; a resumed run may cut elsewhere. Written, they follow one another.
 *
 * Errors: `NotBytes` (a record to be written is no `Uint8Array`).
 *
 * @example
 * ```ts
 * const raw = files('s3://lake/images/', { format: bytes() });
 * ```
 */
export function bytes(): Format<Uint8Array> {
  return {
    name: 'bytes',
    extension: '',
    block: 64 * 1024,
    decoder: () => asTheyCome,
    encode(block: unknown) {
      if (types.isUint8Array(block)) return block;
      throw new MillraceError(
        'NotBytes',
        `A record is a value of type ${typeName(block)}, and bytes() writes Uint8Arrays: map it to one before the sink.`,
      );
    },
  };
}
