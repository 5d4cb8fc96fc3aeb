import type { ObjectDecoder, Reader } from './reader.js';

/** A record of {@link whole}. */
export interface WholeObject {
  /** The object's URI. */
  readonly uri: string;
  /** Its content, decompressed. */
  readonly content: Buffer;
}

/**
 * Each object as one record: documents, images, messages. An object larger than `maxLineBytes` of `files` (default 16 MiB) is
 * malformed. An object without bytes is no record. Objects are decompressed if their name or Content-Encoding declares it.
 *
 * @example
 * ```ts
 * const pages = files('s3://lake/pages/**' + '/*.html', { format: whole(), maxLineBytes: '64MiB' });
 * ```
 */
export function whole(): Reader<WholeObject> {
  return {
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
}
