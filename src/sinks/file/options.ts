import { checkId } from '../../config/checkId.js';
import { checkFunction, checkOptions, oneOf, required, type OptionNames } from '../../config/checkOptions.js';
import { defaultConfig } from '../../config/service.js';
import type { OnUnencodable } from '../../flow/index.js';
import type { Transfer } from '../../config/config.js';
import { InvalidOption, parseDuration, parseSize, type Duration, type Size } from '../../config/units.js';
import { compressorNamed } from '../../formats/codec.js';
import { compressed } from '../../formats/compressed.js';
import { writerOf, type ReadOnly, type Restore, type RowWriter, type Writer } from '../../formats/writer.js';
import { largestPart, maxObject } from '../../store/multipart/index.js';
import { objectsOf, type DescribeObjects, type ObjectOptions } from './objectOptions.js';
import { partitionerOf, type Partitioner } from './partitions/partitioner.js';

/** What to do if neither the upload nor the object of a committed file exists. */
export type OnMissingCommitted = 'error' | 'accept';

/** An open file, as the predicate of {@link RollOptions} sees it. Times are milliseconds since the epoch by the job's clock. */
export interface RollCandidate {
  /** The folder of its records, below the sink's URI. */
  readonly partition: string;
  /** Written so far, give or take what is not encoded or compressed yet. */
  readonly bytes: number;
  /** At least 1. */
  readonly records: number;
  readonly openedAt: number;
  readonly lastWriteAt: number;
  readonly now: number;
}

/** When to finish a file and start a new one. The end of the input finishes all files. */
export interface RollOptions<A = unknown> {
  /** At this many bytes, give or take a block of 16 KiB. Default 128 MiB; at most 5 TiB. */
  readonly size?: Size;
  /** This long after its first record. Default 60 s. */
  readonly age?: Duration;
  /** After this long without a record. Default 60 s. */
  readonly inactivity?: Duration;
  /**
   * At this many checkpoints since its first record: 1 is every checkpoint. From 1 to 1,000,000. Default: no limit; always
   * 1 if the server cannot complete an upload with a subset of its parts, and with formats whose files are valid only when
   * finished.
   */
  readonly checkpoints?: number;
  /** `true` is the former name of `checkpoints: 1`. */
  readonly everyCheckpoint?: boolean;
  /**
   * Called before each record that would be added to a file: `true` finishes the file, and the record begins the next one. The
   * clock may jump, so a difference of times may be negative.
   */
  readonly when?: (file: RollCandidate, record: A) => boolean;
}

/**
 * Options of `fileSink`. Sizes are bytes or `'8MiB'`, durations milliseconds or `'10s'`. If a default names a key, the
 * configuration can set another.
 */
export interface FileSinkOptions<A> {
  readonly format: RowWriter<NoInfer<A>> | Writer<NoInfer<A>>;
  /**
   * Compresses files: in gzip members, Zstandard frames (Node 22.15 or later) or framed Snappy of at most 256 KiB of content, which end at
   * checkpoints. Names get `.gz`, `.zst` or `.sz`. Not with `parquet()` and `avro()`, which have options of their own. Default: `'none'`.
   */
  readonly compression?: 'none' | 'gzip' | 'zstd' | 'snappy';
  /**
   * The folder below the sink's URI that a record goes to: a function (`day=2026-01-31`), `byTime(…)` or `hive(…)`. Default:
   * none.
   */
  readonly partitionBy?: ((value: A) => string) | Partitioner<A>;
  readonly roll?: RollOptions<NoInfer<A>>;
  /**
   * The size of a part; later parts of very large files are larger. From the store's minimum (S3: 5 MiB) to 1 GiB,
   * default 8 MiB (`s3.upload.min.part.size`).
   */
  readonly partSize?: Size;
  /**
   * Concurrent uploads of parts, over all files. Small parts count less. 1 to 64, default 4
   * (`s3.upload.max.concurrent.uploads`), or 1 without `s3.async.enabled`.
   */
  readonly inFlight?: number;
  /**
   * Memory for bytes that are not uploaded yet, including parts in flight. At least twice the largest part that
   * `roll.size` may lead to. Buffers kept for reuse, and tails that are read back to be published, may take a quarter
   * more each. Default 64 MiB, or that minimum (`s3.upload.memory-budget`). It is less if all jobs of the process
   * together would exceed their memory (`execution.memory-budget`).
   */
  readonly budget?: Size;
  /** Maximum number of open files; beyond it, those longest without a record are rolled. Default 10,000. */
  readonly maxOpenFiles?: number;
  /**
   * Writes a manifest for readers, for each checkpoint that finishes files: `_manifests/<sink>/<job id>/<epoch>-<checkpoint>.json` below
   * the URI, after all its files. With `latest`, `latest.json` beside it names the newest one. Needs a store with conditional
   * writes. Default `false`.
   */
  readonly manifests?: boolean | { readonly latest: boolean };
  /** Strings before and after `part-<uid>` in file names. */
  readonly naming?: { readonly prefix?: string; readonly suffix?: string };
  /** Metadata, tags, storage class and content headers of published objects, for all or by partition. Default: none. */
  readonly object?: ObjectOptions | ((partition: string) => ObjectOptions);
  /**
   * If a committed file is missing: fail with `LostUpload`, or accept that a consumer removed it. Default `'error'`.
   */
  readonly onMissingCommitted?: OnMissingCommitted;
  /**
   * If the format cannot encode a record (`NotJson`, `NotText`, `NotBytes`, or any error of its `encode`): the job
   * ends, or the record is skipped. Default `'fail'`.
   */
  readonly onUnencodable?: OnUnencodable;
  /**
   * Former URIs of this sink. Pending files of a checkpoint are published there, too; anywhere else outside of the
   * sink's folder they are rejected with `ForeignName`. Default: none.
   */
  readonly earlier?: readonly string[];
}

/** The options with defaults applied, checked, in bytes and milliseconds. */
export interface SinkSettings<A> {
  readonly format: Writer<A>;
  readonly partitioner: Partitioner<A>;
  readonly rollSize: number;
  readonly age: number;
  readonly inactivity: number;
  /** May be `Infinity`. */
  readonly checkpoints: number;
  readonly rollWhen: ((file: RollCandidate, record: A) => boolean) | undefined;
  readonly partSize: number;
  readonly inFlight: number;
  readonly budget: number;
  /** The minimum of `budget`. */
  readonly leastBudget: number;
  readonly maxOpenFiles: number;
  readonly objectOf: DescribeObjects;
  readonly manifests: { readonly latest: boolean } | undefined;
  readonly prefix: string;
  readonly suffix: string;
  readonly onMissingCommitted: OnMissingCommitted;
  readonly onUnencodable: OnUnencodable;
}

const names: OptionNames<FileSinkOptions<never>> = {
  format: true,
  compression: true,
  partitionBy: true,
  roll: true,
  partSize: true,
  inFlight: true,
  budget: true,
  maxOpenFiles: true,
  manifests: true,
  naming: true,
  object: true,
  onMissingCommitted: true,
  onUnencodable: true,
  earlier: true,
};
const rollNames: OptionNames<RollOptions<never>> = {
  size: true,
  age: true,
  inactivity: true,
  checkpoints: true,
  everyCheckpoint: true,
  when: true,
};
const manifestNames: OptionNames<{ readonly latest: boolean }> = { latest: true };
const namingNames: OptionNames<NonNullable<FileSinkOptions<never>['naming']>> = {
  prefix: true,
  suffix: true,
};

const MiB = 2 ** 20;
const ways: ReadonlySet<unknown> = new Set<Restore>(['anywhere', 'closing', 'whole']);
const partSizeRule = "between the store's minimum for a part (S3: 5 MiB) and 1 GiB";

/** Only the store knows the minimum size of a part. Throws `InvalidOption`. */
export function checkPartSize(id: string, partSize: number, least: number): void {
  if (partSize < least)
    throw new InvalidOption(`fileSink '${id}': partSize`, partSize, `at least ${least} bytes in this store`);
}

function writerOfOptions<A>(id: string, { format, compression = 'none' }: FileSinkOptions<A>): Writer<A> {
  const writer = writerOf<A>(format);
  if (compression === 'none') return writer;
  if (writer.compressedBy !== undefined)
    throw new InvalidOption(
      `fileSink '${id}': compression`,
      compression,
      `'none' with this format, which compresses inside of its files: use ${writer.compressedBy}`,
    );
  const compressor = compressorNamed(compression);
  if (compressor !== undefined) return compressed(writer, compressor);
  throw new InvalidOption(
    `fileSink '${id}': compression`,
    compression,
    "'gzip' or 'snappy' with this version of Node: 'zstd' needs 22.15 or later",
  );
}

/** Callers may be JavaScript, so types are checked at run time. */
function checkSinkOptions<A>(id: string, options: FileSinkOptions<A>): void {
  checkId('the id of fileSink', id);
  const of = `fileSink '${id}'`;
  const given = required<Partial<FileSinkOptions<A>>>(`the options of ${of}`, options);
  const { format, partitionBy, roll, naming, earlier = [] } = given;
  checkOptions(of, options, names);
  checkOptions(of, roll, rollNames, 'roll.');
  if (roll?.when !== undefined) checkFunction(`${of}: roll.when`, roll.when);
  checkOptions(of, naming, namingNames, 'naming.');
  const everyCheckpoint: unknown = roll?.everyCheckpoint;
  if (!['undefined', 'boolean'].includes(typeof everyCheckpoint))
    throw new InvalidOption(`${of}: roll.everyCheckpoint`, everyCheckpoint, 'true or false');
  oneOf(`${of}: onUnencodable`, given.onUnencodable, ['fail', 'skip']);
  oneOf(`${of}: compression`, given.compression, ['none', 'gzip', 'zstd', 'snappy']);
  const { encode, open, restore, onlyReads } = (format ?? {}) as Partial<RowWriter<A> & Writer<A> & ReadOnly>;
  if (typeof encode !== 'function' && typeof open !== 'function')
    throw new InvalidOption(
      `${of}: format`,
      format,
      'a format such as ndjson(), csv() or bytes()',
      onlyReads && `${of}: format: ${onlyReads}.`,
    );
  const restores = typeof restore === 'object' ? typeof restore.seal === 'function' : ways.has(restore);
  if (open !== undefined && !restores)
    throw new InvalidOption(
      `${of}: format.restore`,
      restore,
      "'anywhere', 'closing', 'whole' or an object with `seal`",
    );
  const opens = typeof (partitionBy as Partial<Partitioner<A>> | null | undefined)?.open === 'function';
  if (partitionBy !== undefined && !opens) checkFunction(`${of}: partitionBy`, partitionBy);
  if (!Array.isArray(earlier) || !earlier.every((uri) => typeof uri === 'string'))
    throw new InvalidOption(`${of}: earlier`, earlier, 'a list of URIs');
}

function manifestsOf(
  of: string,
  given: FileSinkOptions<never>['manifests'] = false,
): SinkSettings<never>['manifests'] {
  if (given === false) return undefined;
  if (given === true) return { latest: false };
  checkOptions(of, given, manifestNames, 'manifests.');
  if (typeof (given.latest as unknown) !== 'boolean')
    throw new InvalidOption(`${of}: manifests.latest`, given.latest, 'true or false');
  return { latest: given.latest };
}

/** Throws `InvalidOption`, which names the key as in `fileSink 'out': roll.size`. */
export function settingsOf<A>(
  id: string,
  options: FileSinkOptions<A>,
  defaults: Transfer = defaultConfig().transfer,
): SinkSettings<A> {
  checkSinkOptions(id, options);
  const { roll = {}, naming = {} } = options;
  const key = (name: string): string => `fileSink '${id}': ${name}`;
  const between = (name: string, value: number, least: number, most: number, rule: string): number => {
    if (!Number.isSafeInteger(value) || value < least || value > most)
      throw new InvalidOption(key(name), value, rule);
    return value;
  };
  const size = (name: string, value: Size, least: number, most: number, rule: string): number =>
    between(name, parseSize(key(name), value), least, most, rule);
  const duration = (name: string, value: Duration): number =>
    between(name, parseDuration(key(name), value), 1, 2 ** 31 - 1, 'between 1 ms and 24 days');
  const name = (which: 'prefix' | 'suffix'): string => {
    const value: unknown = naming[which] ?? '';
    if (typeof value !== 'string' || /[/\u0000-\u001f]|\p{Surrogate}/u.test(value))
      throw new InvalidOption(
        key(`naming.${which}`),
        value,
        'Unicode without slashes and control characters',
      );
    return value;
  };

  const partSize = size('partSize', options.partSize ?? defaults.partSize, 1, 1024 * MiB, partSizeRule);
  const rollSize = size('roll.size', roll.size ?? 128 * MiB, 1, maxObject, '1 byte to 5 TiB');
  const least = 2 * largestPart(rollSize, partSize);
  const rule = `at least ${least} bytes, twice the largest part that roll.size leads to`;
  const { everyCheckpoint, checkpoints: mostCheckpoints = everyCheckpoint === true ? 1 : undefined } = roll;
  const missing = options.onMissingCommitted ?? 'error';
  if (!['error', 'accept'].includes(missing)) {
    throw new InvalidOption(key('onMissingCommitted'), missing, "'error' or 'accept'");
  }
  return {
    format: writerOfOptions(id, options),
    partitioner: partitionerOf(options.partitionBy),
    rollSize,
    age: duration('roll.age', roll.age ?? 60_000),
    inactivity: duration('roll.inactivity', roll.inactivity ?? 60_000),
    checkpoints:
      mostCheckpoints === undefined
        ? Infinity
        : between('roll.checkpoints', mostCheckpoints, 1, 1_000_000, '1 to 1,000,000'),
    rollWhen: roll.when,
    partSize,
    inFlight: between(
      'inFlight',
      options.inFlight ?? (defaults.parallel ? defaults.uploadConcurrency : 1),
      1,
      64,
      '1 to 64',
    ),
    budget: size(
      'budget',
      options.budget ?? defaults.uploadBudget ?? Math.max(64 * MiB, least),
      least,
      Number.MAX_SAFE_INTEGER,
      rule,
    ),
    leastBudget: least,
    maxOpenFiles: between('maxOpenFiles', options.maxOpenFiles ?? 10_000, 1, 1_000_000, '1 to 1,000,000'),
    objectOf: objectsOf(id, options.object),
    manifests: manifestsOf(`fileSink '${id}'`, options.manifests),
    prefix: name('prefix'),
    suffix: name('suffix'),
    onMissingCommitted: missing,
    onUnencodable: options.onUnencodable ?? 'fail',
  };
}
