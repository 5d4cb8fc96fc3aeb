import type { FlowOperator } from '../flow/index.js';
import { codecs, type CodecName } from '../formats/codec.js';
import type { Reader } from '../formats/reader.js';
import type { Transfer } from '../config/config.js';
import { checkOptions, oneOf, required, type OptionNames } from '../config/checkOptions.js';
import { configOf, defaultConfig } from '../config/service.js';
import { InvalidOption, parseSize, type Size } from '../config/units.js';
import { compileUriGlob, hideUserInfo, plainUri, splitUri } from '../path/index.js';
import { linksFollowed, type Links } from '../store/links.js';
import type { FragmentLimits } from './fragments.js';
import { FilesReader, type FilesSettings } from './filesReader.js';
import { listed } from './listed.js';
import type { DeadLetter, Source } from './source.js';

/** Settings of {@link files}. */
export interface FilesOptions<T> {
  /** How bytes become records: `ndjson()`, `text()`, `bytes()`. */
  readonly format: Reader<T>;
  /**
   * Reading ahead: up to `window` ranged requests of `fragment` bytes, over all objects of this source together; their
   * product, and the one fragment that is being consumed, is the memory it takes. Default: 8 (`s3.spi.read.max-fragment-number`) of 8 MiB
   * (`s3.spi.read.max-fragment-size`); one request at a time without `s3.async.enabled`.
   */
  readonly prefetch?: { readonly window?: number; readonly fragment?: Size };
  /**
   * What happens to a record that cannot be parsed. `fail` (default): the job ends with `MalformedRecord`. `skip`: it is
   * counted, in the checkpoint too, and shows as an event `skipped`. `deadLetter(…)`: it goes to a sink of its own.
   */
  readonly onMalformed?: 'fail' | 'skip' | DeadLetterPolicy;
  /** Reads names that start with `.` or `_` too. Default `false`. What the URI itself spells out is never hidden. */
  readonly hidden?: boolean;
  /** A longer line (its end included) is malformed. Default 16 MiB. */
  readonly maxLineBytes?: Size;
  /**
   * `auto` (default): the first bytes of an object, its name and its Content-Encoding tell whether it is gzip; other
   * compressions are refused. `gzip`, `none`: whatever the object says of itself.
   */
  readonly compression?: CodecName | 'auto';
  /**
   * What becomes of what is in local directories and is no file: links that lead nowhere or in a circle, pipes, sockets
   * and devices, names that are not UTF-8, and what this user may not look at. `fail` (default): the job ends with
   * `UnreadableInput`. `skip`: it shows as an event `input-skipped`.
   */
  readonly unreadable?: 'fail' | 'skip';
  /** What becomes of symbolic links in local directories. Default `follow`. Those that fail or are skipped are as `unreadable`. */
  readonly links?: Links;
  /** A URI that matches no object is no error. Default `false`. */
  readonly allowEmpty?: boolean;
}

const names: OptionNames<FilesOptions<never>> = {
  format: true,
  prefetch: true,
  onMalformed: true,
  hidden: true,
  maxLineBytes: true,
  compression: true,
  unreadable: true,
  links: true,
  allowEmpty: true,
};
const prefetchNames: OptionNames<NonNullable<FilesOptions<never>['prefetch']>> = {
  window: true,
  fragment: true,
};

/** Made by {@link deadLetter}. */
export interface DeadLetterPolicy {
  readonly deadLetter: FlowOperator<DeadLetter, never>;
}

/**
 * Sends records that cannot be parsed to a sink, under the same barriers as everything else: each arrives there exactly
 * once.
 *
 * @example
 * ```ts
 * files('s3://lake/raw/**', {
 *   format: ndjson<Visit>(),
 *   onMalformed: deadLetter(fileSink('rejects', 's3://lake/rejects', { format: ndjson() })),
 * });
 * ```
 */
export function deadLetter(sink: FlowOperator<DeadLetter, never>): DeadLetterPolicy {
  return { deadLetter: sink };
}

/**
 * Reads objects: one URI or glob, or several, one after the other.
 *
 * A URI without wildcards names an object or, if there is none of that name, everything under it. Objects are read in
 * the order of their keys' UTF-8 bytes, each from its start to its end, in the version (ETag) that was listed. Bounded:
 * an object that appears later under a key that is already passed is not read. A job that is run again after it has read
 * everything reports `input-not-read` if objects were added after the last one; it looks at one page of the last URI's
 * listing, and not at earlier keys or URIs.
 *
 * The position is exact at every record. A resumed job opens the object it was in at that byte (a compressed one at the
 * last gzip member before it) and reads nothing before it again.
 *
 * Errors: `NoInput` (nothing matches), `UnreadableInput` (in a local directory), `MissingBucket`, `ObjectChanged`, `ObjectVanished`, `MalformedRecord`,
 * `Integrity` (broken gzip), `UnknownCodec`, `NotUtf8`, `BadPosition`, `InvalidUri`, `InvalidGlob`, `InvalidOption`, and the
 * store's.
 *
 * @example
 * ```ts
 * const visits = job.source('raw', files('s3://lake/raw/2026/**' + '/*.ndjson.gz', { format: ndjson<Visit>() }));
 * ```
 */
export function files<T>(uri: string | readonly string[], options: FilesOptions<T>): Source<T> {
  checkFilesOptions(options);
  const settings = filesSettings(uri, options);
  return {
    description: `files ${settings.uris.map(hideUserInfo).join(', ')}`,
    ...(typeof options.onMalformed === 'object' ? { deadLetter: options.onMalformed.deadLetter } : {}),
    open: (context) => {
      const { transfer } = configOf(context.attempt);
      const uris = settings.uris.map((each) => plainUri(each, transfer.entropy.key));
      return new FilesReader({ ...settings, uris, limits: limitsOf(options, transfer) }, context);
    },
  };
}

/** The options, checked and with their defaults. */
export function filesSettings<T>(
  uri: string | readonly string[],
  options: FilesOptions<T>,
): FilesSettings<T> {
  const uris: readonly unknown[] = Array.isArray(uri) ? uri : [uri];
  if (uris.length === 0 || !uris.every((each) => typeof each === 'string'))
    throw new InvalidOption('files(uri)', uri, 'a URI, or a list of at least one URI');
  for (const each of uris) compileUriGlob(splitUri(each).key);
  return {
    uris,
    format: options.format,
    discover: listed,
    limits: limitsOf(options, defaultConfig().transfer),
    onMalformed: typeof options.onMalformed === 'object' ? 'deadLetter' : (options.onMalformed ?? 'fail'),
    hidden: options.hidden ?? false,
    maxLineBytes: positive('maxLineBytes', parseSize('maxLineBytes', options.maxLineBytes ?? '16MiB')),
    compression: options.compression ?? 'auto',
    unreadable: options.unreadable ?? 'fail',
    links: options.links ?? 'follow',
    allowEmpty: options.allowEmpty ?? false,
    slice: 4 * (options.format.block ?? 16 * 1024),
  };
}

/** Callers may be JavaScript: the types are not to be relied on here. */
function checkFilesOptions<T>(options: FilesOptions<T>): void {
  const given = required<Partial<FilesOptions<T>>>('the options of files', options);
  const { format, prefetch, onMalformed = 'fail' } = given;
  checkOptions('files', options, names);
  checkOptions('files', prefetch, prefetchNames, 'prefetch.');
  if (typeof format?.decoder !== 'function' || typeof format.name !== 'string')
    throw new InvalidOption('files: format', format, 'a format such as ndjson(), text() or bytes()');
  oneOf('files: unreadable', given.unreadable, ['fail', 'skip']);
  oneOf('files: compression', given.compression, ['auto', 'none', ...codecs.map(({ name }) => name)]);
  oneOf('files: links', given.links, Object.keys(linksFollowed));
  const policy: unknown = typeof onMalformed === 'object' ? onMalformed.deadLetter : onMalformed;
  if (typeof policy !== 'function' && policy !== 'fail' && policy !== 'skip')
    throw new InvalidOption('files: onMalformed', onMalformed, "'fail', 'skip' or deadLetter(…)");
}

/** How far to read ahead, with what is configured for options that say nothing. */
function limitsOf<T>({ prefetch = {} }: FilesOptions<T>, defaults: Transfer): FragmentLimits {
  const fragment = prefetch.fragment ?? defaults.fragmentSize ?? '8MiB';
  return {
    window: positive('prefetch.window', prefetch.window ?? defaults.fragmentNumber ?? 8),
    fragment: positive('prefetch.fragment', parseSize('prefetch.fragment', fragment)),
    ...(defaults.parallel ? {} : { requests: 1 }),
  };
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidOption(name, value, 'a whole number above zero');
}
