import { types } from 'node:util';
import { MillraceError } from '../errors.js';
import type { Format } from './format.js';
import type { ObjectDecoder } from './reader.js';
import { typeName } from './typeName.js';

/** Every offset is a boundary. */
const asTheyCome: ObjectDecoder<Uint8Array> = {
  first: (_bytes, _from, to) => to,
  last: (_bytes, _from, to) => to,
  decode(block, _start, _line, on) {
    on(block);
    return 0;
  },
};

/**
 * Raw bytes, in blocks of at most 64 KiB as they arrive, not copied: for counting, hashing and forwarding. Block boundaries
 * have no meaning; a resumed run may cut elsewhere. Written blocks are concatenated.
 *
 * Errors: `NotBytes` (a written record is not a `Uint8Array`).
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
        `A record is a value of type ${typeName(block)}, but bytes() writes only Uint8Arrays: map it to one before the sink.`,
      );
    },
  };
}
