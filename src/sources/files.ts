import type { FlowOperator } from '../flow/index.js';
import { codecs, type CodecName } from '../formats/codec.js';
import { readsGroups, type GroupReader } from '../formats/groupReader.js';
import type { Reader } from '../formats/reader.js';
import type { Transfer } from '../config/config.js';
import { checkOptions, oneOf, required, type OptionNames } from '../config/checkOptions.js';
import { configOf, defaultConfig } from '../config/service.js';
import { InvalidOption, parseSize, type Size } from '../config/units.js';
import { compileUriGlob, hideUserInfo, plainUri, splitUri } from '../path/index.js';
import { linksFollowed, type Links } from '../store/links.js';
import type { FragmentLimits } from './fragmentBudget.js';
import { mostObjects } from './filesPosition.js';
import { FilesReader } from './filesReader.js';
import type { FilesSettings } from './filesSettings.js';
import { splittingOf } from './splits.js';
import { continuous } from './continuous/continuous.js';
import { discovering, type DiscoverOptions } from './continuous/options.js';
import { listed } from './listed.js';
import type { DeadLetter, Source } from './source.js';

/** Settings of {@link files}. */
export interface FilesOptions<T> {
  /** How bytes become records: `ndjson()`, `text()`, `bytes()`. */
  readonly format: Reader<T> | GroupReader<T>;
  /**
   * Reading ahead: up to `window` ranged requests of `fragment` bytes, over all objects of this source together. It
   * takes (`window` + `parallelism`) × `fragment` bytes of memory. Default: 8 (`s3.spi.read.max-fragment-number`) of 8 MiB
   * (`s3.spi.read.max-fragment-size`); one request at a time without `s3.async.enabled`.
   */
  readonly prefetch?: { readonly window?: number; readonly fragment?: Size };
  /**
   * What happens to a record that cannot be parsed. `fail` (default): the job ends with `MalformedRecord`. `skip`: it
   * is counted, also in the checkpoint, and reported by an event `skipped`. `deadLetter(…)`: it goes to a separate
   * sink.
   */
  readonly onMalformed?: 'fail' | 'skip' | DeadLetterPolicy;
  /** Whether to read names that start with `.` or `_`. Default `false`. Names in the URI itself are never hidden. */
  readonly hidden?: boolean;
  /** A longer line (its end included) is malformed. Default 16 MiB. */
  readonly maxLineBytes?: Size;
  /**
   * A compressed object may have up to this many times its stored bytes, decompressed; the first 64 MiB are always read. More is
   * error `DecompressionBomb`. Default 10,000: ten times what gzip can reach.
   */
  readonly maxExpansion?: number;
  /**
   * `auto` (default): gzip, zstd (from Node 22.15), brotli and framed Snappy are detected by an object's first bytes, name
   * and Content-Encoding; other compressions are rejected. Any other value: no detection.
   */
  readonly compression?: CodecName | 'auto';
  /**
   * How to handle entries of local directories that are not readable files: links that lead nowhere or in a circle,
   * pipes, sockets and devices, names that are not UTF-8, and what this user may not look at. `fail` (default):
   * the job ends with `UnreadableInput`. `skip`: an event `input-skipped` reports each. A file that is listed and may not be read
   * is `PermissionDenied` in any case.
   */
  readonly unreadable?: 'fail' | 'skip';
  /**
   * What happens if an object is deleted after it was found and before it is read to its end. `fail` (default): the job ends with
   * `ObjectVanished`. `skip`: an event `input-skipped` reports it.
   */
  readonly vanished?: 'fail' | 'skip';
  /**
   * How to handle symbolic links in local directories. Default `follow`. Otherwise they are handled as in `unreadable`.
   */
  readonly links?: Links;
  /** Whether a URI may match no object. Default `false`; a continuous source waits for objects. */
  readonly allowEmpty?: boolean;
  /**
   * The number of objects that are read at the same time, at most 256. Records of one object stay in order, those of different
   * ones interleave, so event times are out of order by as much as the objects differ. The objects share `prefetch`. Default
   * 1: one after the other, in order.
   */
  readonly parallelism?: number;
  /**
   * Objects of more than `size` bytes are read in splits of about that size, each as if it were an object: `parallelism` of them at the same
   * time. For input in which the order of records does not matter, in formats whose records can be found from any byte: `ndjson()`, and
   * `text()` with line ends that cannot overlap themselves. Compressed objects are read whole. Line numbers in errors are known only
   * in the first split of an object. It may be changed or removed at any time. Default: objects are read whole. `size`: 64 KiB or more,
   * default 64 MiB.
   */
  readonly splits?: { readonly size?: Size };
  /** Makes the source continuous: it reads new objects for as long as the job runs. Default: it reads what is there and ends. */
  readonly discover?: DiscoverOptions;
}

const names: OptionNames<FilesOptions<never>> = {
  format: true,
  prefetch: true,
  onMalformed: true,
  hidden: true,
  maxLineBytes: true,
  maxExpansion: true,
  compression: true,
  unreadable: true,
  vanished: true,
  links: true,
  allowEmpty: true,
  parallelism: true,
  splits: true,
  discover: true,
};
const splitsNames: OptionNames<NonNullable<FilesOptions<never>['splits']>> = { size: true };
const prefetchNames: OptionNames<NonNullable<FilesOptions<never>['prefetch']>> = {
  window: true,
  fragment: true,
};

/** Made by {@link deadLetter}. */
export interface DeadLetterPolicy {
  readonly deadLetter: FlowOperator<DeadLetter, never>;
}

/**
 * Sends records that cannot be parsed to a sink, with the same barriers as all records: each arrives there exactly
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
 * Reads objects: one URI or glob, or several, one after the other. An object that several of them cover belongs to the first.
 *
 * A URI without wildcards names an object or, if there is none of that name, everything under it. Objects are read in
 * the order of their keys' UTF-8 bytes, each from its start to its end, in the version (ETag) that was listed. With
 * `parallelism`, they are begun in this order, and their records interleave. Bounded:
 * an object that is added later under an earlier key is not read. A job that is run again after it has read everything
 * reports `input-not-read` if objects were added after the last one; it checks one page of the last URI's listing, and
 * no earlier keys or URIs.
 *
 * With `discover`, the source is continuous: it lists its URIs again and again and reads new objects, also those under
 * earlier keys, each exactly once. The job does not end by itself.
 *
 * The position is exact at every record. A resumed job reopens its objects, each at its byte (a compressed one at the
 * last member or frame before it) and reads no earlier record again. `parallelism` may be changed at any time.
 *
 * Errors: `NoInput` (nothing matches), `UnreadableInput` (in a local directory), `MissingBucket`, `ObjectChanged`,
 * `ObjectVanished`, `HorizonFull`, `MalformedRecord`, `Integrity` (broken compression), `DecompressionBomb`, `UnknownCodec`, `NotUtf8`,
 * `BadPosition`, `InvalidUri`, `InvalidGlob`, `InvalidOption`, and errors of the store.
 *
 * @example
 * ```ts
 * const visits = job.source('raw', files('s3://lake/raw/2026/**' + '/*.ndjson.gz', { format: ndjson<Visit>() }));
 * const live = job.source('live', files('s3://lake/live/', { format: ndjson<Visit>(), discover: { every: '10s' } }));
 * const fast = job.source('fast', files('s3://lake/raw/**', { format: ndjson<Visit>(), parallelism: 4 }));
 * ```
 */
export function files<T>(uri: string | readonly string[], options: FilesOptions<T>): Source<T> {
  checkFilesOptions(options);
  return filesSource(uri, options);
}

/** `files` with options that were checked: without the bounds that only protect users. */
export function filesSource<T>(uri: string | readonly string[], options: FilesOptions<T>): Source<T> {
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
    discover: options.discover === undefined ? listed : continuous(discovering(options.discover)),
    limits: limitsOf(options, defaultConfig().transfer),
    onMalformed: typeof options.onMalformed === 'object' ? 'deadLetter' : (options.onMalformed ?? 'fail'),
    hidden: options.hidden ?? false,
    maxLineBytes: positive('maxLineBytes', parseSize('maxLineBytes', options.maxLineBytes ?? '16MiB')),
    maxExpansion: positive('maxExpansion', options.maxExpansion ?? 10_000),
    compression: options.compression ?? 'auto',
    unreadable: options.unreadable ?? 'fail',
    vanished: options.vanished ?? 'fail',
    links: options.links ?? 'follow',
    allowEmpty: options.allowEmpty ?? false,
    split: options.splits && splitSize(options.splits.size),
    slice: 4 * ((readsGroups(options.format) ? undefined : options.format.block) ?? 16 * 1024),
  };
}

/** Callers may be JavaScript, so types are checked at run time. */
function checkFilesOptions<T>(options: FilesOptions<T>): void {
  const given = required<Partial<FilesOptions<T>>>('the options of files', options);
  const { format, prefetch, onMalformed = 'fail' } = given;
  checkOptions('files', options, names);
  checkOptions('files', prefetch, prefetchNames, 'prefetch.');
  if (typeof format?.name !== 'string' || !(readsGroups(format) || typeof format.decoder === 'function'))
    throw new InvalidOption('files: format', format, 'a format such as ndjson(), text() or bytes()');
  oneOf('files: unreadable', given.unreadable, ['fail', 'skip']);
  oneOf('files: vanished', given.vanished, ['fail', 'skip']);
  oneOf('files: compression', given.compression, ['auto', 'none', ...codecs.map(({ name }) => name)]);
  if (readsGroups(format) && (given.compression ?? 'auto') !== 'auto')
    throw new InvalidOption('files: compression', given.compression, `absent: ${format.name} has its own`);
  const { parallelism = 1 } = given;
  if (positive('files: parallelism', parallelism) > mostObjects)
    throw new InvalidOption('files: parallelism', parallelism, `at most ${mostObjects}`);
  checkSplits(given);
  oneOf('files: links', given.links, Object.keys(linksFollowed));
  const policy: unknown = typeof onMalformed === 'object' ? onMalformed.deadLetter : onMalformed;
  if (typeof policy !== 'function' && policy !== 'fail' && policy !== 'skip')
    throw new InvalidOption('files: onMalformed', onMalformed, "'fail', 'skip' or deadLetter(…)");
}

/** A split takes at least one request. */
const smallestSplit = 64 * 1024;

const splitSize = (size: Size = '64MiB'): number => parseSize('splits.size', size);

/** Errors: `InvalidOption` (objects cannot be read in splits). */
function checkSplits<T>({ splits, format, compression = 'auto' }: Partial<FilesOptions<T>>): void {
  checkOptions('files', splits, splitsNames, 'splits.');
  if (splits === undefined || format === undefined) return;
  if (splitSize(splits.size) < smallestSplit)
    throw new InvalidOption('files: splits.size', splits.size, "64 KiB or more, such as '64MiB'");
  if (splittingOf(format) === undefined)
    throw new InvalidOption(
      'files: splits',
      splits,
      `absent: an object of format '${format.name}' can be read only from its start. Splits are for ndjson() and text()`,
    );
  if (compression !== 'auto' && compression !== 'none')
    throw new InvalidOption(
      'files: splits',
      splits,
      `absent: ${compression} is read from the start of an object`,
    );
}

/** How far to read ahead, with configuration for options that are not set. */
function limitsOf<T>(
  { prefetch = {}, parallelism = 1 }: FilesOptions<T>,
  defaults: Transfer,
): FragmentLimits {
  const fragment = prefetch.fragment ?? defaults.fragmentSize ?? '8MiB';
  return {
    window: positive('prefetch.window', prefetch.window ?? defaults.fragmentNumber ?? 8),
    fragment: positive('prefetch.fragment', parseSize('prefetch.fragment', fragment)),
    ...(defaults.parallel ? {} : { requests: 1 }),
    objects: parallelism,
  };
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidOption(name, value, 'a whole number above zero');
}
