import type { ObservableInput } from 'rxjs';
import { checkId } from '../../config/checkId.js';
import { checkFunction, checkOptions, oneOf, required, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption, parseDuration, parseSize, type Duration, type Size } from '../../config/units.js';
import type { Clock, OnUnencodable } from '../../flow/index.js';
import { serializerOf, type Serializer } from '../../state/index.js';
import type { BatchLimits } from './batches.js';
import type { OutboxMark } from './mark.js';
import type { RetrySettings } from './retries.js';

/**
 * Hands one batch to the target. The target stores the mark in the same transaction as the records, and takes each batch once:
 * see {@link OutboxMark}. The result is subscribed to and ignored; when it completes, the target has the batch. `signal` is aborted at the
 * timeout, and if the attempt ends.
 *
 * What it fails with decides what follows. A `PublishFailed`, or any retryable `MillraceError`: it is tried again. A `PoisonBatch`:
 * `onPoison`. Any other `MillraceError`: the job ends. Errors of other kinds: it is tried again, and is poison after the last try.
 */
export type Publish<A> = (
  batch: readonly A[],
  mark: OutboxMark,
  signal: AbortSignal,
) => ObservableInput<unknown>;

/** {@link Publish} of the library's own targets. */
export type PublishWith<A> = (
  ...args: readonly [...batch: Parameters<Publish<A>>, help: PublishHelp]
) => ObservableInput<unknown>;

export interface PublishHelp {
  /** That of the job. */
  readonly clock: Clock;
  /** Decodes the next batch and prepares it. A target with `prepare` calls it when it has nothing left to do but wait for an answer. */
  readonly meanwhile: () => void;
}

/**
 * Answers whether the target has a batch that it refused: an earlier try may have succeeded, and its answer was lost. Asked before the batch
 * becomes a dead letter, with the arguments of {@link Publish}, and again by the next attempt after a crash.
 *
 * After `true`, the batch is no dead letter. `false` should be final: a target that stores the mark without the records, in the
 * transaction that looks, refuses a try that arrives later (see {@link isPublished}). If it only looks, such a try may still succeed.
 *
 * If it fails with a `PublishFailed` or another retryable `MillraceError`, it is asked again. Any other `MillraceError` ends the job. Errors of
 * other kinds: it is asked again, and after the last try the job ends with `UnknownOutcome`, as it does after a `PoisonBatch`.
 */
export type Published<A> = (
  batch: readonly A[],
  mark: OutboxMark,
  signal: AbortSignal,
) => ObservableInput<boolean>;

/** How often a batch is tried. */
export interface OutboxRetryOptions {
  /**
   * How often a batch fails with an error of unknown kind until it is poison. 1 or more, default 5. Errors that are retryable do not
   * count; only when the job is about to end, it does so after that number of tries.
   */
  readonly tries?: number;
  /** The wait after the first try. It doubles with each. Default 100 ms. */
  readonly initial?: Duration;
  /** The longest wait, even if the target asks for more. Default 30 s. */
  readonly max?: Duration;
}

/** Poison batches go to objects in a folder. */
export interface PoisonOptions {
  /** A URI, outside of the checkpoint directory. */
  readonly deadLetter: string;
}

/** Options that all outbox sinks have. Sizes are bytes or `'8MiB'`, durations milliseconds or `'10s'`. */
export interface OutboxOptions<A> {
  /** The most records and bytes (as encoded) of a batch. Default 1,000 and 1 MiB; one record is always allowed. */
  readonly maxBatch?: { readonly records?: number; readonly bytes?: Size };
  readonly retry?: OutboxRetryOptions;
  /** A batch that takes longer is aborted and tried again. Default 60 s. */
  readonly timeout?: Duration;
  /**
   * If the target refuses a batch: `fail` (default) ends the job with `PoisonBatch`. With a folder, the batch becomes an object
   * there, with the reason, and the next one follows. It is in one of the two places, and never in both, if the target can be asked
   * whether it has it.
   */
  readonly onPoison?: 'fail' | PoisonOptions;
  /** Encodes records in checkpoints. Default: MessagePack, as for state. */
  readonly serializer?: Serializer<A>;
  /** If a record cannot be encoded (`UnsupportedRecord`): the job ends, or the record is skipped. Default `'fail'`. */
  readonly onUnencodable?: OnUnencodable;
  /**
   * Memory for records that are not stored yet, and for those that are being published. 4 KiB or more, default 32 MiB. A quarter of
   * it, at most 8 MiB, is written to the checkpoint directory as one object.
   */
  readonly budget?: Size;
  /**
   * Bytes (as encoded) of earlier checkpoints that are not published yet. While there are more, a source waits once it is `budget` of
   * `createJob` ahead, so that much comes on top. Default 256 MiB.
   */
  readonly backlog?: Size;
}

/** Options of `outboxSink`. */
export interface OutboxSinkOptions<A> extends OutboxOptions<A> {
  readonly publish: Publish<A>;
  /** Whether the target has a batch that it refused. Default: it cannot be asked, so a batch may be in both places. */
  readonly published?: Published<A>;
  /** Names the target in events `committed`. Default: `outbox:` and the sink's id. */
  readonly target?: string;
}

/** The options with defaults applied, checked, in bytes and milliseconds. */
export interface OutboxSettings<A> {
  readonly publish: PublishWith<A>;
  readonly published: Published<A> | undefined;
  /**
   * Does for a batch what can be done before its turn; `publish` comes later with the same list. If it is absent, the next batch is
   * decoded as soon as `publish` was called.
   */
  readonly prepare?: (batch: readonly A[]) => void;
  readonly target: string;
  readonly limits: BatchLimits;
  readonly retry: RetrySettings;
  readonly timeout: number;
  /** The folder of dead letters. */
  readonly deadLetter: string | undefined;
  readonly serializer: Serializer<A>;
  readonly onUnencodable: OnUnencodable;
  readonly budget: number;
  readonly backlog: number;
}

/** For sinks that have these options and others. */
export const outboxNames: OptionNames<OutboxOptions<never>> = {
  maxBatch: true,
  retry: true,
  timeout: true,
  onPoison: true,
  serializer: true,
  onUnencodable: true,
  budget: true,
  backlog: true,
};
/** The options of {@link settingsOf}. */
export const outboxSinkNames: OptionNames<OutboxSinkOptions<never>> = {
  ...outboxNames,
  publish: true,
  published: true,
  target: true,
};
const maxBatchNames: OptionNames<NonNullable<OutboxOptions<never>['maxBatch']>> = {
  records: true,
  bytes: true,
};
const retryNames: OptionNames<OutboxRetryOptions> = { tries: true, initial: true, max: true };
const poisonNames: OptionNames<PoisonOptions> = { deadLetter: true };

/**
 * Callers may be JavaScript, so types are checked at run time. Throws `InvalidOption`, which names the key as in
 * `outboxSink 'out': maxBatch.records`.
 *
 * @param of the function that the user called: `outboxSink`
 */
export function settingsOf<A>(
  of: string,
  id: string,
  options: Omit<OutboxSinkOptions<A>, 'publish'> & { readonly publish: PublishWith<A> },
  names: Readonly<Record<string, true>> = outboxSinkNames,
): OutboxSettings<A> {
  checkId(`the id of ${of}`, id);
  const sink = `${of} '${id}'`;
  const given: object = required(`the options of ${sink}`, options);
  checkOptions(sink, given as Readonly<Record<string, unknown>>, names);
  const { publish, published, target, maxBatch = {}, retry = {}, onPoison = 'fail' } = options;
  checkFunction(`${sink}: publish`, publish);
  if (published !== undefined) checkFunction(`${sink}: published`, published);
  checkOptions(sink, maxBatch, maxBatchNames, 'maxBatch.');
  checkOptions(sink, retry, retryNames, 'retry.');
  oneOf(`${sink}: onUnencodable`, options.onUnencodable, ['fail', 'skip']);
  const count = (name: string, value: number, least: number): number => {
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidOption(`${sink}: ${name}`, value, `a whole number, ${least} or more`);
    return value;
  };
  const size = (name: string, value: Size, least: number): number =>
    count(name, parseSize(`${sink}: ${name}`, value), least);
  const duration = (name: string, value: Duration): number =>
    count(name, parseDuration(`${sink}: ${name}`, value), 1);
  const initial = duration('retry.initial', retry.initial ?? 100);
  const max = duration('retry.max', retry.max ?? '30s');
  if (max < initial)
    throw new InvalidOption(
      `${sink}: retry.max`,
      retry.max ?? max,
      `at least retry.initial (${initial} ms): no wait is longer. The option for their number is tries`,
    );
  return {
    publish,
    published,
    target: target ?? `outbox:${id}`,
    limits: {
      records: count('maxBatch.records', maxBatch.records ?? 1000, 1),
      bytes: size('maxBatch.bytes', maxBatch.bytes ?? '1MiB', 1),
    },
    retry: {
      tries: count('retry.tries', retry.tries ?? 5, 1),
      initial,
      max,
    },
    timeout: duration('timeout', options.timeout ?? '60s'),
    deadLetter: deadLetterOf(sink, onPoison),
    serializer: serializerOf(options),
    onUnencodable: options.onUnencodable ?? 'fail',
    budget: size('budget', options.budget ?? '32MiB', 4096),
    backlog: size('backlog', options.backlog ?? '256MiB', 1),
  };
}

function deadLetterOf(sink: string, onPoison: 'fail' | PoisonOptions): string | undefined {
  const rule = "'fail' or { deadLetter: 's3://…' }";
  if (typeof onPoison !== 'object') {
    if ((onPoison as unknown) === 'fail') return undefined;
    throw new InvalidOption(`${sink}: onPoison`, onPoison, rule);
  }
  checkOptions(sink, onPoison, poisonNames, 'onPoison.');
  const { deadLetter } = required<Partial<PoisonOptions>>(`${sink}: onPoison`, onPoison);
  if (typeof deadLetter !== 'string') throw new InvalidOption(`${sink}: onPoison`, onPoison, rule);
  return deadLetter;
}
