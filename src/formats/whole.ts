import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import type { ObjectDecoder, Reader } from './reader.js';
import { validated } from './validated.js';

/** A record of {@link whole}. */
export interface WholeObject {
  /** The object's URI. */
  readonly uri: string;
  /** Its content, decompressed. */
  readonly content: Buffer;
}

/** Options of {@link whole}. */
export interface WholeOptions<T = WholeObject> {
  /**
   * Validates every object, and may transform it: any Standard Schema (zod, valibot, arktype, …) that validates synchronously.
   * Objects that it rejects are malformed records.
   */
  readonly schema?: StandardSchemaV1<unknown, T>;
}

const names: OptionNames<WholeOptions> = { schema: true };

/**
 * Each object as one record: documents, images, messages. An object larger than `maxLineBytes` of `files` (default 16 MiB) is
 * malformed. An object without bytes is no record. Objects are decompressed if their name or Content-Encoding declares it.
 *
 * Errors: `AsyncSchema` (the schema validates asynchronously), `InvalidOption`.
 *
 * @example
 * ```ts
 * const pages = files('s3://lake/pages/**' + '/*.html', { format: whole(), maxLineBytes: '64MiB' });
 * ```
 */
export function whole<T>(
  options: WholeOptions<T> & { readonly schema: StandardSchemaV1<unknown, T> },
): Reader<T>;
export function whole(options?: WholeOptions): Reader<WholeObject>;
export function whole(options: WholeOptions<unknown> = {}): Reader<unknown> {
  checkOptions('whole', options, names);
  const reader: Reader<WholeObject> = {
    name: 'whole',
    decoder: ({ object }): ObjectDecoder<WholeObject> => ({
      first: () => -1,
      last: () => -1,
      decode(content, _start, _line, on) {
        on({ uri: object, content });
        return 0;
      },
      dropped: () => 0,
    }),
  };
  return validated('whole', reader, options.schema, { text: (bytes) => bytes.toString('utf8', 0, 256) });
}
