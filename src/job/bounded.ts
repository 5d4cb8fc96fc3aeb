/**
 * A source, operators and a sink, in bounded memory and without checkpoints.
 *
 * 1. **Run.** A job whose log is in this process's memory, with one checkpoint: the last. So sinks publish once the input has
 *    been read to its end, and credits bound what is in memory. *Crash:* nothing is published, or, while files are being
 *    published, some of them. Unfinished uploads stay; `millrace uploads` shows them.
 * 2. **Clean up** after a failure or an abort: the same job starts once more with a silent source, and stops at once. Its
 *    sinks find what the first attempt has left behind, as after any restart: unfinished uploads are removed; files of the last checkpoint
 *    that are not published yet are published. *Crash:* as above.
 */
import type { Observable, OperatorFunction } from 'rxjs';
import { checkOptions, type OptionNames } from '../config/checkOptions.js';
import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load/index.js';
import { mergeS3 } from '../config/mergeS3.js';
import { InvalidOption } from '../config/units.js';
import { systemClock, type Signal } from '../flow/index.js';
import type { Source, SourceReader } from '../sources/source.js';
import { openStores } from '../store/open.js';
import { createStores } from '../store/registry.js';
import { spilling, type Stores } from '../store/services.js';
import { RunAborted } from './failure.js';
import { createJob } from './job.js';
import type { JobOptions } from './options.js';
import type { Provided } from './services.js';

/** Options of {@link bounded}: those of `createJob` that do not concern checkpoints, and a signal. */
export interface BoundedOptions extends Pick<
  JobOptions,
  'budget' | 'memory' | 'stalled' | 'clock' | 'random' | 'config' | 'logger' | 's3' | 'services' | 'stores'
> {
  /** Ends the run when aborted: nothing is published, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

const names: OptionNames<BoundedOptions> = {
  budget: true,
  memory: true,
  stalled: true,
  clock: true,
  random: true,
  config: true,
  logger: true,
  s3: true,
  services: true,
  stores: true,
  signal: true,
};

/**
 * Moves records from a source through operators into a sink without a job: in bounded memory however large the input is and however
 * slow the sink, since a sink's credits hold the source back. Nothing is saved on the way, so a crash begins again; sinks
 * publish when the input is over. After an error or an abort, nothing is published and unfinished uploads are removed.
 *
 * The last argument may be {@link BoundedOptions}. Resolves when everything is published. Errors: those of `job.run`; the
 * signal's reason; `InvalidOption`.
 *
 * @example
 * ```ts
 * await bounded(
 *   files('file:///var/log/visits.ndjson', { format: ndjson<{ kind: string }>() }),
 *   records(filter((visit) => visit.kind === 'click')),
 *   fileSink('out', 's3://lake/clicks', { format: ndjson() }),
 * );
 * ```
 */
export function bounded<A>(
  source: Source<A>,
  sink: OperatorFunction<A | Signal, unknown>,
  options?: BoundedOptions,
): Promise<void>;
export function bounded<A, B>(
  source: Source<A>,
  a: OperatorFunction<A | Signal, B>,
  sink: OperatorFunction<B, unknown>,
  options?: BoundedOptions,
): Promise<void>;
export function bounded<A, B, C>(
  source: Source<A>,
  a: OperatorFunction<A | Signal, B>,
  b: OperatorFunction<B, C>,
  sink: OperatorFunction<C, unknown>,
  options?: BoundedOptions,
): Promise<void>;
export function bounded<A, B, C, D>(
  source: Source<A>,
  a: OperatorFunction<A | Signal, B>,
  b: OperatorFunction<B, C>,
  c: OperatorFunction<C, D>,
  sink: OperatorFunction<D, unknown>,
  options?: BoundedOptions,
): Promise<void>;
export function bounded<A, B, C, D, E>(
  source: Source<A>,
  a: OperatorFunction<A | Signal, B>,
  b: OperatorFunction<B, C>,
  c: OperatorFunction<C, D>,
  d: OperatorFunction<D, E>,
  sink: OperatorFunction<E, unknown>,
  options?: BoundedOptions,
): Promise<void>;
export function bounded<A, B, C, D, E, F>(
  source: Source<A>,
  a: OperatorFunction<A | Signal, B>,
  b: OperatorFunction<B, C>,
  c: OperatorFunction<C, D>,
  d: OperatorFunction<D, E>,
  e: OperatorFunction<E, F>,
  sink: OperatorFunction<F, unknown>,
  options?: BoundedOptions,
): Promise<void>;
export async function bounded<A>(
  source: Source<A>,
  ...rest: readonly (OperatorFunction<never, unknown> | BoundedOptions | undefined)[]
): Promise<void> {
  const last = rest.at(-1);
  const { signal, ...options } = typeof last === 'function' ? {} : (last ?? {});
  const steps = rest.filter((each) => typeof each === 'function');
  checkOptions('bounded', options, names);
  if (signal !== undefined && !((signal as unknown) instanceof AbortSignal))
    throw new InvalidOption('bounded: signal', signal, 'an AbortSignal');
  if (steps.length === 0) throw new InvalidOption('bounded: sink', undefined, 'a sink, such as fileSink(…)');
  signal?.throwIfAborted();
  const { stores, config, close } = boundedStores(options);
  try {
    const job = createJob({
      ...options,
      services: [...(options.services ?? []), inMemory],
      name: 'bounded',
      checkpoints: { dir: directory, interval: 'none' },
      restart: 'none',
      config,
      stores,
    });
    let failed = false;
    const flow = job.source(
      'in',
      silenceable<never>(source as Source<never>, () => failed),
    );
    const leaf = steps.reduce<Observable<unknown>>((from, step) => step(from as Observable<never>), flow);
    const watch = signal === undefined ? [] : [job.source('signal', abortedBy(signal))];
    try {
      await job.run(...watch, leaf);
    } catch (error) {
      failed = true;
      const stop = new AbortController();
      job.events$.subscribe(({ type }) => {
        if (type === 'running') stop.abort();
      });
      // If this fails as well, the job has logged it; the first error is the one to report.
      await job.run(...watch, leaf, { signal: stop.signal }).catch(() => undefined);
      throw error instanceof RunAborted ? error.reason : error;
    }
  } finally {
    close();
  }
}

const directory = 'memory://millrace-bounded/checkpoints';

/** Sinks keep within their budgets without journals, which would stay in memory. */
const inMemory: Provided = { name: spilling.name, make: () => false, close: () => undefined };

/** The user's stores, and one for the log. Configured places of checkpoints and savepoints have no effect. */
function boundedStores(options: BoundedOptions): {
  readonly stores: Stores;
  readonly config: Config;
  readonly close: () => void;
} {
  const { clock = systemClock, random = Math.random, logger } = options;
  const given = options.config ?? loadConfig(logger === undefined ? {} : { logger });
  const config = {
    ...given,
    state: without(given.state, 'backend'),
    savepoints: without(given.savepoints, 'from'),
  };
  const log = createStores({ clock });
  const opened =
    options.stores === undefined
      ? openStores({ s3: mergeS3(given.s3, options.s3), clock, random, logger: logger ?? given.logger })
      : undefined;
  const others = options.stores ?? opened;
  return {
    stores: { open: (uri) => (uri.startsWith(directory) ? log : (others ?? log)).open(uri) },
    config,
    close: () => opened?.close(),
  };
}

function without<T extends object, K extends keyof T>(object: T, key: K): Omit<T, K> {
  const copy: Partial<T> = { ...object };
  Reflect.deleteProperty(copy, key);
  return copy as Omit<T, K>;
}

/** The user's source, unless it has to be silent. */
function silenceable<T>(source: Source<T>, silent: () => boolean): Source<T> {
  const { description, deadLetter } = source;
  return {
    description,
    ...(deadLetter === undefined ? {} : { deadLetter }),
    open: (context) => (silent() ? silence : source.open(context)),
  };
}

const silence: SourceReader<never> = {
  poll: () => 'wait',
  position: () => null,
  bytes: 0,
  close: () => undefined,
};

/** A source without records, which fails when the signal is aborted. */
function abortedBy(signal: AbortSignal): Source<never> {
  return {
    description: 'signal',
    open: ({ fail }) => {
      const aborted = (): void => fail(new RunAborted(signal.reason));
      signal.addEventListener('abort', aborted, { once: true });
      return { ...silence, poll: () => 'end', close: () => signal.removeEventListener('abort', aborted) };
    },
  };
}
