import { checkId } from '../../config/checkId.js';
import { checkOptions, oneOf, required, type OptionNames } from '../../config/checkOptions.js';
import { defaultConfig } from '../../config/service.js';
import type { OnUnencodable } from '../../flow/index.js';
import type { Transfer } from '../../config/config.js';
import { InvalidOption, parseDuration, parseSize, type Duration, type Size } from '../../config/units.js';
import { writerOf, type Restore, type RowWriter, type Writer } from '../../formats/writer.js';
import { largestPart, maxObject } from '../../store/multipart/index.js';

/** What to do when a committed file is neither an upload nor an object any more. */
export type OnMissingCommitted = 'error' | 'accept';

/** When a file is finished and a new one begun. All of them finish at the end of the input, too. */
export interface RollOptions {
  /** Once it has so many bytes (give or take a block of 16 KiB). Default 128 MiB; at most 5 TiB. */
  readonly size?: Size;
  /** So long after its first record. Default 60 s. */
  readonly age?: Duration;
  /** So long without a record. Default 60 s. */
  readonly inactivity?: Duration;
  /** At every checkpoint. Default `false`; always on where the server cannot complete a part of an upload, and with a format whose files are whole only when finished. */
  readonly everyCheckpoint?: boolean;
}

/**
 * The options of `fileSink`. Sizes are bytes or `'8MiB'`, durations milliseconds or `'10s'`. Where a default names a key,
 * the configuration may say another.
 */
export interface FileSinkOptions<A> {
  readonly format: RowWriter<NoInfer<A>> | Writer<NoInfer<A>>;
  /** The folder below the sink's URI that a record goes to: `day=2026-01-31`. Default: none. */
  readonly partitionBy?: (value: A) => string;
  readonly roll?: RollOptions;
  /** The size of a part; later parts of very large files are larger. From what the store takes (S3: 5 MiB) to 1 GiB, default 8 MiB (`s3.upload.min.part.size`). */
  readonly partSize?: Size;
  /** Parts under way at once, over all files. Small ones count less. 1 to 64, default 4 (`s3.upload.max.concurrent.uploads`), or 1 without `s3.async.enabled`. */
  readonly inFlight?: number;
  /**
   * Memory for what is not uploaded yet, parts under way included. At least twice the largest part that `roll.size`
   * may lead to; buffers kept for reuse, and tails that are read back to be published, may take a quarter more each. Default
   * 64 MiB, or that least (`s3.upload.memory-budget`). It is less where all jobs of the process together would exceed their
   * memory (`execution.memory-budget`).
   */
  readonly budget?: Size;
  /** Files open at once; beyond it those longest without a record are rolled. Default 10,000. */
  readonly maxOpenFiles?: number;
  /** What comes before and after `part-<uid>` in file names. */
  readonly naming?: { readonly prefix?: string; readonly suffix?: string };
  /** A committed file that has vanished: fail with `LostUpload`, or accept that a consumer took it. Default `'error'`. */
  readonly onMissingCommitted?: OnMissingCommitted;
  /**
   * A record that the format cannot encode (`NotJson`, `NotText`, `NotBytes`, or whatever its `encode` throws): the job ends, or
   * the record is skipped. Default `'fail'`.
   */
  readonly onUnencodable?: OnUnencodable;
  /**
   * Former URIs of this sink. Files that a checkpoint has still to publish there are published; in any other place but the
   * sink's own they are refused with `ForeignName`. Default: none.
   */
  readonly earlier?: readonly string[];
}

/** The same, checked and in bytes and milliseconds. */
export interface SinkSettings<A> {
  readonly format: Writer<A>;
  readonly partitionBy: ((value: A) => string) | undefined;
  readonly rollSize: number;
  readonly age: number;
  readonly inactivity: number;
  readonly everyCheckpoint: boolean;
  readonly partSize: number;
  readonly inFlight: number;
  readonly budget: number;
  /** The smallest that it may be. */
  readonly leastBudget: number;
  readonly maxOpenFiles: number;
  readonly prefix: string;
  readonly suffix: string;
  readonly onMissingCommitted: OnMissingCommitted;
  readonly onUnencodable: OnUnencodable;
}

const names: OptionNames<FileSinkOptions<never>> = {
  format: true,
  partitionBy: true,
  roll: true,
  partSize: true,
  inFlight: true,
  budget: true,
  maxOpenFiles: true,
  naming: true,
  onMissingCommitted: true,
  onUnencodable: true,
  earlier: true,
};
const rollNames: OptionNames<RollOptions> = {
  size: true,
  age: true,
  inactivity: true,
  everyCheckpoint: true,
};
const namingNames: OptionNames<NonNullable<FileSinkOptions<never>['naming']>> = {
  prefix: true,
  suffix: true,
};

const MiB = 2 ** 20;
const ways: ReadonlySet<unknown> = new Set<Restore>(['anywhere', 'closing', 'whole']);
const partSizeRule = 'what the store takes as a part (S3: 5 MiB) to 1 GiB';

/** Only the store knows the least size of a part. Throws `InvalidOption`. */
export function checkPartSize(id: string, partSize: number, least: number): void {
  if (partSize < least)
    throw new InvalidOption(`fileSink '${id}': partSize`, partSize, `at least ${least} bytes here`);
}

/** Callers may be JavaScript: the types are not to be relied on here. */
function checkSinkOptions<A>(id: string, options: FileSinkOptions<A>): void {
  checkId('the id of fileSink', id);
  const of = `fileSink '${id}'`;
  const given = required<Partial<FileSinkOptions<A>>>(`the options of ${of}`, options);
  const { format, partitionBy, roll, naming, earlier = [] } = given;
  checkOptions(of, options, names);
  checkOptions(of, roll, rollNames, 'roll.');
  checkOptions(of, naming, namingNames, 'naming.');
  oneOf(`${of}: onUnencodable`, given.onUnencodable, ['fail', 'skip']);
  const { encode, open, restore } = (format ?? {}) as Partial<RowWriter<A> & Writer<A>>;
  if (typeof encode !== 'function' && typeof open !== 'function')
    throw new InvalidOption(`${of}: format`, format, 'a format such as ndjson(), text() or bytes()');
  const restores = typeof restore === 'object' ? typeof restore.seal === 'function' : ways.has(restore);
  if (open !== undefined && !restores)
    throw new InvalidOption(
      `${of}: format.restore`,
      restore,
      "'anywhere', 'closing', 'whole' or an object with `seal`",
    );
  if (partitionBy !== undefined && typeof partitionBy !== 'function')
    throw new InvalidOption(`${of}: partitionBy`, partitionBy, 'a function');
  if (!Array.isArray(earlier) || !earlier.every((uri) => typeof uri === 'string'))
    throw new InvalidOption(`${of}: earlier`, earlier, 'a list of URIs');
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
    const value = naming[which] ?? '';
    if (/[/\u0000-\u001f]/.test(value))
      throw new InvalidOption(key(`naming.${which}`), value, 'a string without slashes');
    return value;
  };

  const partSize = size('partSize', options.partSize ?? defaults.partSize, 1, 1024 * MiB, partSizeRule);
  const rollSize = size('roll.size', roll.size ?? 128 * MiB, 1, maxObject, '1 byte to 5 TiB');
  const least = 2 * largestPart(rollSize, partSize);
  const rule = `at least ${least} bytes, twice the largest part that roll.size leads to`;
  const missing = options.onMissingCommitted ?? 'error';
  if (!['error', 'accept'].includes(missing)) {
    throw new InvalidOption(key('onMissingCommitted'), missing, "'error' or 'accept'");
  }
  return {
    format: writerOf<A>(options.format),
    partitionBy: options.partitionBy,
    rollSize,
    age: duration('roll.age', roll.age ?? 60_000),
    inactivity: duration('roll.inactivity', roll.inactivity ?? 60_000),
    everyCheckpoint: roll.everyCheckpoint ?? false,
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
    prefix: name('prefix'),
    suffix: name('suffix'),
    onMissingCommitted: missing,
    onUnencodable: options.onUnencodable ?? 'fail',
  };
}
