import { checkOptions, required, type OptionNames } from '../config/checkOptions.js';
import type { ObjectStart, Reader } from '../formats/reader.js';
import { files, type FilesOptions } from './files.js';
import type { Source } from './source.js';

/** A piece of an object, as stored. */
export interface ObjectFragment {
  /** URI of the object. */
  readonly object: string;
  /** ETag of the version that is read. */
  readonly etag: string;
  /** Where the piece starts in the object. Bytes. */
  readonly offset: number;
  /** The size of the object. Bytes. */
  readonly total: number;
  /** At least one byte, at most 64 KiB, as received and not copied. */
  readonly bytes: Uint8Array;
}

/** Options of {@link fragments}: those of `files` that do not concern records. */
export type FragmentsOptions = Pick<
  FilesOptions<never>,
  'prefetch' | 'hidden' | 'unreadable' | 'links' | 'allowEmpty' | 'parallelism' | 'discover'
>;

const names: OptionNames<FragmentsOptions> = {
  prefetch: true,
  hidden: true,
  unreadable: true,
  links: true,
  allowEmpty: true,
  parallelism: true,
  discover: true,
};

/** Every offset is a boundary. Only `fragments` uses it: what `offset` and `total` mean depends on there being no compression. */
export const fragmentFormat: Reader<ObjectFragment> = {
  name: 'fragments',
  block: 64 * 1024,
  decoder: ({ object, etag = '', size: total = 0 }: ObjectStart) => ({
    first: (_bytes, _from, to) => to,
    last: (_bytes, _from, to) => to,
    decode(bytes, offset, _line, on) {
      on({ object, etag, offset, total, bytes });
      return 0;
    },
  }),
};

/**
 * The bytes of objects as records: fragments in order, one object after the other, with the place of each; with `parallelism`, those of
 * several objects interleave. It reads ahead, waits
 * for credits and keeps positions as {@link files} does. A resumed run continues at the exact byte, in the same version of
 * the object. Where an object is cut has no meaning: a resumed run may cut elsewhere. An object is read as it is stored, compressed or not;
 * an empty one has no fragment.
 *
 * Errors: as `files`, except those of formats and compression; above all `ObjectChanged`, `ObjectVanished` and `NoInput`.
 *
 * @example
 * ```ts
 * const raw = job.source('raw', fragments('s3://lake/raw/2026.tar'));
 * const progress = raw.pipe(records(map(({ object, offset, total, bytes }) => [object, (offset + bytes.length) / total])));
 * ```
 */
export function fragments(
  uri: string | readonly string[],
  options: FragmentsOptions = {},
): Source<ObjectFragment> {
  checkOptions('fragments', required('the options of fragments', options), names);
  const source = files(uri, { ...options, format: fragmentFormat, compression: 'none' });
  return { ...source, description: source.description.replace(/^files/, 'fragments') };
}
