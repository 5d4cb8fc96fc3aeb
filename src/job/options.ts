import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load/index.js';
import { checkOptions, oneOf, required, withMethods, type OptionNames } from '../config/checkOptions.js';
import { checkS3Options } from '../config/checkS3Options.js';
import { encryptBucket, mergeS3 } from '../config/mergeS3.js';
import type { Logger } from '../config/logger.js';
import type { RestartDefaults } from '../config/options.js';
import { InvalidOption, parseDuration, parseSize, type Duration, type Size } from '../config/units.js';
import { systemClock, type Clock } from '../flow/index.js';
import { hideUserInfo, parseUri } from '../path/index.js';
import type { S3Options } from '../config/s3Options.js';
import { allKeyGroups, checkKeyGroups, isSameRange, type KeyGroupRange } from '../state/index.js';
import type { Stores } from '../store/services.js';
import type { Signing } from '../checkpoint/index.js';
import type { Environment } from './environment.js';
import type { Provided } from './services.js';
import { defaultMemory } from './memory/index.js';
import { defaultRestart, type RestartPolicy } from './restartPolicy.js';
import { checkSign, signing, type SignOptions } from './signing.js';

export interface JobOptions {
  /** Names the job's log below `checkpoints.dir`: letters, digits, `.`, `_` and `-`, at most 64. */
  readonly name: string;
  /** Options that are not set are as configured. */
  readonly checkpoints?: CheckpointOptions;
  /**
   * When to restart after a retryable failure. `'none'`: never. Options that are not set are as configured.
   */
  readonly restart?: 'none' | RestartOptions;
  /** When a job that makes no progress reports what it waits for. Options that are not set are as configured. */
  readonly stalled?: StallOptions;
  /** Bytes of input that a source may be ahead of its slowest sink. Default 16 MiB (`execution.source-budget`). */
  readonly budget?: Size;
  /**
   * Bytes that all jobs, readers and copies of this process may hold together: read ahead, in flight, and not uploaded yet.
   * Each job's sources and sinks have shares of it, which shrink when other jobs start. If jobs specify different values, the
   * smallest applies. Default: half of the memory of the machine or container (`execution.memory-budget`), no limit with a `clock`.
   */
  readonly memory?: Size;
  /**
   * Ids of sources, operators and sinks that the job no longer has. Their state is dropped permanently.
   * Otherwise, such state is error `VanishedOperator`. It is dropped once the first checkpoint is durable; before
   * that, the job can still be started with the operators. Ids that are still in the job are error `DroppedOperator`;
   * a sink whose output is not published yet is `DroppedPending`; unknown ids are ignored.
   */
  readonly allowDropped?: readonly string[];
  /**
   * The URI of a savepoint that the job begins with, of this job or another one: it continues with the state of all its
   * operators and the positions of its sources, under a new job id. Only a job without checkpoints begins with it;
   * after a restart, the job continues from its own newest checkpoint. A job that has begun otherwise is error
   * `AlreadyStarted`. A list of savepoints is merged: see `keyGroups`. Default: none (`execution.savepoint.path`).
   */
  readonly from?: string | readonly string[];
  /**
   * The key groups, of 0 to 127, whose keyed state the job has. So several jobs share the keys: each gets the records of
   * its own keys (`keyGroupOf`); one of another key is error `KeyOutsideRange`. A job that begins with savepoints has the
   * part of their state that is in its key groups. Savepoints without a group that it needs, or with one twice, are error
   * `KeyGroupsMismatch`; sources at different positions are `SavepointsDiffer`. Fixed for the life of the job:
   * `KeyGroupsChanged`. Default: all. See docs/split-and-merge.md.
   */
  readonly keyGroups?: KeyGroupRange;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
  /** Configuration for options that are not set here. Default: environment and file, as `loadConfig()` reads them. */
  readonly config?: Config;
  /**
   * Logs restarts, failures and stalls, and the retries, throttling, redirects and probes of the stores that the job
   * opens. Default: that of `config`, which by default writes warnings and errors to standard error. `silentLogger`
   * logs nothing.
   */
  readonly logger?: Logger;
  /**
   * How to reach `s3://` stores, in addition to the configuration. Default: AWS, with region and credentials found by
   * its SDK.
   */
  readonly s3?: S3Options;
  /** Additional services for operators, sources and sinks (`attempt.use`): see `provide`. Default: none. */
  readonly services?: readonly Provided[];
  /** Replaces the stores of all URIs; `s3` is then ignored. */
  readonly stores?: Stores;
}

export interface CheckpointOptions {
  /**
   * URI of a directory for this and other jobs' checkpoints. Required unless `state.checkpoints.dir` is configured.
   */
  readonly dir?: string;
  /** The time between two checkpoints. Default 10 s. `'none'`: only one, at the end of the input or at a stop. */
  readonly interval?: Duration;
  /** The time for all operators to store their frozen state. Default 10 min. */
  readonly timeout?: Duration;
  /** The minimum time between the end of one checkpoint and the start of the next. Default 0. */
  readonly minPause?: Duration;
  /** Consecutive failed checkpoints to tolerate before the attempt fails. Default 0. */
  readonly tolerableFailures?: number;
  /** Checkpoints to keep. Default 1. */
  readonly retained?: number;
  /**
   * With `AT_LEAST_ONCE`, `mergeFlows` does not hold records back to align its inputs; after a restart records may
   * count twice. Default `EXACTLY_ONCE`.
   */
  readonly mode?: 'EXACTLY_ONCE' | 'AT_LEAST_ONCE';
  /**
   * `'none'` lets the job run on a store without conditional writes, where nothing prevents two processes from
   * running it simultaneously. Default: such a store is rejected.
   */
  readonly fencing?: 'none';
  /**
   * Signs manifests, and rejects those that this job has not signed (`ManifestNotTrusted`). Default: no signatures.
   */
  readonly sign?: SignOptions;
}

export interface StallOptions {
  /** Reports a `stalled` event when a wait of the job has lasted this long. Default 30 s. `'none'`: never. */
  readonly after?: Duration;
}

/** The fields of {@link RestartPolicy}. `{ type: 'none' }` is the same as `'none'`. */
export type RestartOptions = RestartDefaults;

export interface ResolvedOptions {
  readonly name: string;
  readonly checkpoints: {
    readonly dir: string;
    readonly intervalMs: number | undefined;
    readonly timeoutMs: number | undefined;
    readonly minPauseMs: number | undefined;
    readonly tolerableFailures: number | undefined;
    readonly retained: number | undefined;
    readonly fencing: 'none' | undefined;
    readonly sign: Signing | undefined;
  };
  readonly restart: RestartPolicy;
  readonly stalledAfterMs: number | undefined;
  readonly budget: number;
  readonly memory: number;
  readonly allowDropped: readonly string[];
  readonly ignoreUnclaimed: boolean;
  readonly from: readonly string[];
  /** Absent: all. */
  readonly keyGroups: KeyGroupRange | undefined;
  readonly environment: Pick<Environment, 'clock' | 'random'>;
  /** The configuration that operators, sources and sinks see. */
  readonly config: Config;
  readonly logger: Logger;
  readonly services: readonly Provided[];
  readonly stores: Stores | undefined;
  readonly s3: S3Options;
}

const names: OptionNames<JobOptions> = {
  name: true,
  checkpoints: true,
  restart: true,
  stalled: true,
  budget: true,
  memory: true,
  allowDropped: true,
  from: true,
  keyGroups: true,
  clock: true,
  random: true,
  config: true,
  logger: true,
  s3: true,
  services: true,
  stores: true,
};

const checkpointNames: OptionNames<CheckpointOptions> = {
  dir: true,
  interval: true,
  timeout: true,
  minPause: true,
  tolerableFailures: true,
  retained: true,
  mode: true,
  fencing: true,
  sign: true,
};

const stalledNames: OptionNames<StallOptions> = { after: true };

const restartNames: OptionNames<RestartOptions> = {
  type: true,
  initial: true,
  max: true,
  multiplier: true,
  jitter: true,
  resetAfter: true,
  attempts: true,
  checkpointTimeouts: true,
};

const restartTypes = "'exponential-delay' or 'none'";
const namePattern = /^[A-Za-z0-9._-]{1,64}$/;

/** Checks options, and fills in configuration and defaults. Throws `InvalidOption`, and `InvalidConfig`. */
export function resolveOptions(options: JobOptions): ResolvedOptions {
  checkNames(options);
  checkValues(options);
  const { name, restart, logger, clock = systemClock } = options;
  const config = options.config ?? loadConfig(logger === undefined ? {} : { logger });
  const checkpoints = { ...config.checkpoints, ...defined(options.checkpoints) };
  const dir = directory(checkpoints.dir, config);
  const s3 = mergeS3(config.s3, options.s3);
  const stalledAfter = options.stalled?.after ?? config.stalled.after;
  return {
    name,
    checkpoints: {
      dir,
      intervalMs:
        checkpoints.interval === 'none' ? undefined : timer('checkpoints.interval', checkpoints.interval, 1),
      timeoutMs: timer('checkpoints.timeout', checkpoints.timeout, 1),
      minPauseMs: timer('checkpoints.minPause', checkpoints.minPause, 0),
      tolerableFailures: count('checkpoints.tolerableFailures', checkpoints.tolerableFailures, 0),
      retained: count('checkpoints.retained', checkpoints.retained, 1),
      fencing: checkpoints.fencing === 'none' ? 'none' : undefined,
      sign: signing(checkpoints.sign),
    },
    restart: restartPolicy(restart, config.restart),
    stalledAfterMs: stalledAfter === 'none' ? undefined : timer('stalled.after', stalledAfter, 1),
    budget: positiveSize('budget', options.budget ?? config.transfer.sourceBudget),
    memory: memoryOf(options.memory ?? config.transfer.memoryBudget, clock),
    allowDropped: idsOf(options.allowDropped),
    ignoreUnclaimed: config.savepoints.ignoreUnclaimed,
    from: savepointsOf(options.from ?? config.savepoints.from),
    keyGroups: keyGroupsOf(options.keyGroups),
    environment: {
      clock,
      random: options.random ?? Math.random,
    },
    config: { ...config, checkpoints: { ...config.checkpoints, mode: checkpoints.mode } },
    logger: logger ?? config.logger,
    services: servicesOf(options.services),
    stores: options.stores,
    s3: config.state.encryption ? encryptBucket(s3, dir) : s3,
  };
}

/** Callers may be JavaScript, so types are checked at run time. */
function checkNames(options: JobOptions): void {
  const of = 'createJob';
  const { checkpoints, restart, stalled, s3 } = required('the options of createJob', options);
  checkOptions(of, options, names);
  checkOptions(of, checkpoints, checkpointNames, 'checkpoints.');
  checkSign(of, checkpoints?.sign);
  if (restart !== 'none') checkOptions(of, restart, restartNames, 'restart.');
  checkOptions(of, stalled, stalledNames, 'stalled.');
  checkS3Options(of, s3, 's3.');
}

function checkValues({ name, checkpoints, clock, logger, random, stores, config }: JobOptions): void {
  if (typeof (name as unknown) !== 'string' || !namePattern.test(name) || /^\.+$/.test(name))
    throw new InvalidOption('name', name, "1 to 64 of letters, digits, '.', '_' and '-'");
  oneOf('checkpoints.mode', checkpoints?.mode, ['EXACTLY_ONCE', 'AT_LEAST_ONCE']);
  oneOf('checkpoints.fencing', checkpoints?.fencing, ['none']);
  withMethods('clock', clock, ['now', 'after', 'yield']);
  withMethods('logger', logger, ['debug', 'info', 'warn', 'error']);
  withMethods('stores', stores, ['open']);
  withMethods('config', config, ['origin']);
  if (random !== undefined && typeof (random as unknown) !== 'function')
    throw new InvalidOption('random', random, 'a function that returns numbers from 0 to 1, without 1');
}

function savepointsOf(from: unknown): readonly string[] {
  if (from === undefined) return [];
  const uris: readonly unknown[] = Array.isArray(from) ? from : [from];
  if (uris.length === 0 || !uris.every((uri): uri is string => typeof uri === 'string'))
    throw new InvalidOption('from', from, 'the URI of a savepoint, or a list of them');
  for (const uri of uris) parseUri(uri);
  const twice = uris.find((uri, at) => uris.indexOf(uri) !== at);
  if (twice !== undefined) throw new InvalidOption('from', hideUserInfo(twice), 'each savepoint once');
  return uris;
}

/** A job with all of them is like one without the option. */
function keyGroupsOf(given: unknown): KeyGroupRange | undefined {
  if (given === undefined) return undefined;
  const range = checkKeyGroups('keyGroups', given);
  return isSameRange(range, allKeyGroups) ? undefined : range;
}

function idsOf(ids: unknown): readonly string[] {
  if (ids === undefined) return [];
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'string' && id !== '')) return ids as string[];
  throw new InvalidOption('allowDropped', ids, 'a list of ids');
}

function servicesOf(services: unknown): readonly Provided[] {
  if (services === undefined) return [];
  if (!Array.isArray(services))
    throw new InvalidOption('services', services, 'a list of what provide(…) returns');
  for (const each of services as readonly object[]) withMethods('services', each, ['make', 'close']);
  const provided = services as readonly Provided[];
  const names = provided.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new InvalidOption('services', twice, 'each name once');
  return provided;
}

/** The options without those that are undefined. */
function defined<T extends object>(options: T | undefined): Partial<T> {
  return Object.fromEntries(
    Object.entries(options ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

function directory(dir: string | undefined, { state }: Config): string {
  if (dir === undefined) {
    throw new InvalidOption('checkpoints.dir', dir, 'specified here, or configured as state.checkpoints.dir');
  }
  if (typeof (dir as unknown) !== 'string') throw new InvalidOption('checkpoints.dir', dir, 'a URI');
  if (parseUri(dir).scheme !== 's3' && state.backend === 's3') {
    throw new InvalidOption(
      'checkpoints.dir',
      hideUserInfo(dir),
      'an s3:// URI, because state.backend is s3',
    );
  }
  return dir;
}

function restartPolicy(restart: JobOptions['restart'], configured: RestartOptions): RestartPolicy {
  const own: RestartOptions = restart === 'none' ? { type: 'none' } : defined(restart);
  const type: string = (restart === undefined ? configured.type : own.type) ?? 'exponential-delay';
  if (type === 'none') return { ...defaultRestart, attempts: 0 };
  if (type !== 'exponential-delay') throw new InvalidOption('restart.type', type, restartTypes);
  const given = { ...configured, ...own };
  const { multiplier = defaultRestart.multiplier, jitter = defaultRestart.jitter } = given;
  if (!(Number.isFinite(multiplier) && multiplier >= 1))
    throw new InvalidOption('restart.multiplier', multiplier, 'a number of 1 or more');
  if (!(Number.isFinite(jitter) && jitter >= 0 && jitter <= 1))
    throw new InvalidOption('restart.jitter', jitter, 'a number from 0 to 1');
  const initial = timer('restart.initial', given.initial, 1) ?? defaultRestart.initial;
  const max = timer('restart.max', given.max, 1) ?? defaultRestart.max;
  if (own.max !== undefined && max < initial)
    throw new InvalidOption(
      'restart.max',
      own.max,
      `at least restart.initial (${initial} ms): no wait is longer. The option for their number is attempts`,
    );
  return {
    initial,
    max,
    multiplier,
    jitter,
    resetAfter: timer('restart.resetAfter', given.resetAfter, 1) ?? defaultRestart.resetAfter,
    attempts: count('restart.attempts', given.attempts, 0) ?? defaultRestart.attempts,
    checkpointTimeouts:
      count('restart.checkpointTimeouts', given.checkpointTimeouts, 1) ?? defaultRestart.checkpointTimeouts,
  };
}

/** Node's timers fire immediately if the delay is longer. */
const longest = 2 ** 31 - 1;

function timer(key: string, value: Duration | undefined, least: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = parseDuration(key, value);
  if (ms < least || ms > longest) throw new InvalidOption(key, value, `${least} ms to 24 days`);
  return ms;
}

function memoryOf(value: Size | undefined, clock: Clock): number {
  return value === undefined ? defaultMemory(clock) : positiveSize('memory', value);
}

function positiveSize(key: string, value: Size): number {
  const bytes = parseSize(key, value);
  if (bytes < 1) throw new InvalidOption(key, value, '1 byte or more');
  return bytes;
}

function count(key: string, value: number | undefined, least: number): number | undefined {
  if (value !== undefined && !(Number.isInteger(value) && value >= least)) {
    throw new InvalidOption(key, value, `a whole number of ${least} or more`);
  }
  return value;
}
