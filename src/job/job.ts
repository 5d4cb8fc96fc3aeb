import { defer, fromEvent, isObservable, map, NEVER, of, Subject, type Observable } from 'rxjs';
import { checkId } from '../config/checkId.js';
import { checkOptions, required, type OptionNames } from '../config/checkOptions.js';
import { tolerant } from '../config/logger.js';
import { InvalidOption } from '../config/units.js';
import { MillraceError } from '../errors.js';
import { parseUri } from '../path/index.js';
import { flowOf, type Flow, type Known } from '../flow/index.js';
import type { Source } from '../sources/source.js';
import type { JobEvent } from './events.js';
import { processMemory } from './memory/index.js';
import { RunServices } from './services.js';
import { held } from './stopOn.js';
import { jobStores } from './jobStores.js';
import { logEvent } from './logEvent.js';
import { runLog } from './logRunner.js';
import { resolveOptions, type JobOptions } from './options.js';
import { SavepointQueue } from './savepoints.js';

/** A job: named sources, and leaves to run. Made by {@link createJob}. */
export interface Job {
  readonly name: string;
  /** Events while the job runs: checkpoints, commits, restarts, skipped records. Never errors. */
  readonly events$: Observable<JobEvent>;
  /**
   * A flow of the source's records. The id is the source's name in checkpoints: keep it when the code changes.
   * Several branches share the source, which is read once per attempt. Errors: `DuplicateId` when another source of
   * the job has the id.
   */
  source<T>(id: string, source: Source<T> & Known<T>): Flow<T>;
  /**
   * Restores the newest durable checkpoint, runs the leaves, commits, and restarts after retryable failures. Resolves
   * when the inputs are over and everything is published, or when stopped with a last checkpoint; in both cases only
   * after every leaf has completed, including work after `values()`. A leaf that never completes, such as one merged with
   * an `interval`, keeps `run` from resolving. Records that reach the end of a leaf are discarded: end it with a
   * sink, unless it is run for its effects.
   *
   * Errors: `Fenced` when another process has taken over; `VanishedOperator` when the checkpoint holds state of an
   * operator that is in no leaf (see `allowDropped`); `DroppedOperator`, `DroppedPending`; `AlreadyRunning`;
   * `NoLeaves`; and the error that ended the job according to its policies.
   */
  run(...leaves: readonly [...Observable<unknown>[], Observable<unknown> | RunOptions]): Promise<RunResult>;
  /**
   * Makes a savepoint: a copy of a checkpoint with everything that it refers to, in a new folder below `uri`, from which
   * this job or another one can start (`from` of `createJob`). Resolves with the folder's URI once the savepoint is
   * complete. Output before the savepoint is published by this job. See docs/savepoints.md.
   *
   * @example
   * ```ts
   * const running = job.run(clicks);
   * const uri = await job.savepoint('s3://lake/savepoints', { stop: true });
   * await running;
   * ```
   *
   * @param uri of a directory. Default: `state.savepoints.dir`
   *
   * Errors: `NotRunning` before `run` and after its end; `SavepointOpen` if a sink does not close its work at a
   * savepoint; `SavepointFailed` if it could not be copied, or the attempt ended meanwhile; `InvalidOption`
   * (also for a directory in that of the checkpoints, where a job would remove it), `InvalidUri`.
   */
  savepoint(uri?: string, options?: SavepointOptions): Promise<string>;
}

export interface SavepointOptions {
  /**
   * Stops the job at the savepoint: no record after it is processed, and `run` resolves as `stopped` once it is
   * complete. Default `false`: the job continues.
   */
  readonly stop?: boolean;
}

export interface RunOptions {
  /** Stops the job at a checkpoint when aborted: see `stopOn`. */
  readonly signal?: AbortSignal;
}

export interface RunResult {
  /** `finished`: the inputs are over. `stopped`: the signal was aborted. */
  readonly outcome: 'finished' | 'stopped';
}

const savepointNames: OptionNames<SavepointOptions> = { stop: true };

const runNames: OptionNames<RunOptions> = { signal: true };

function checkRunOptions(options: RunOptions): void {
  const what = 'an argument of job.run';
  // It has no own properties, so the check of names would accept it.
  if (options instanceof AbortSignal)
    throw new InvalidOption(what, options, '{ signal }, a flow, or several');
  checkOptions('job.run', required(what, options), runNames);
  const signal: unknown = options.signal;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new InvalidOption('job.run: signal', signal, 'an AbortSignal, such as that of stopOn(…)');
}

/**
 * Creates a job. Nothing happens before `run`.
 *
 * @example
 * ```ts
 * const job = createJob({ name: 'copy', checkpoints: { dir: 'file:///var/lake/checkpoints', interval: '10s' } });
 * const lines = job.source('in', files('file:///var/lake/in/*.txt', { format: text() }));
 * await job.run(lines.pipe(fileSink('out', 'file:///var/lake/out', { format: text() })));
 * ```
 *
 * Errors: `InvalidOption`, with the option, its value and the rule.
 */
export function createJob(options: JobOptions): Job {
  const resolved = resolveOptions(options);
  const config = { ...resolved, logger: tolerant(resolved.logger) };
  const { name } = config;
  const events = new Subject<JobEvent>();
  const emit = (event: JobEvent): void => {
    logEvent(config.logger, name, event);
    events.next(event);
  };
  const sources = new Map<string, Source<unknown>>();
  let find: ((id: string) => Observable<unknown>) | undefined;
  const savepoints = new SavepointQueue(name, config.environment.clock, config.environment.random);
  let running = false;

  const wired = (using: (id: string) => Observable<unknown>, subscribe: () => void): void => {
    const before = find;
    find = using;
    try {
      subscribe();
    } finally {
      find = before;
    }
  };

  return {
    name,
    events$: events.asObservable(),

    source<T>(id: string, source: Source<T>): Flow<T> {
      checkId('job.source(id)', id);
      if (typeof (source as Partial<Source<T>> | undefined)?.open !== 'function')
        throw new InvalidOption(`job.source('${id}', source)`, source, 'a source, such as files(…)');
      if (sources.has(id)) throw duplicateSource(id);
      sources.set(id, source);
      return flowOf((out) => {
        if (find === undefined) throw outsideRun(id);
        (find(id) as Flow<T>).subscribe(out);
      });
    },

    async run(...args): Promise<RunResult> {
      if (running) throw alreadyRunning(name);
      const others = args.filter((arg): arg is RunOptions => !isObservable(arg));
      for (const each of others) checkRunOptions(each);
      const leaves = args.filter((arg) => isObservable(arg));
      if (leaves.length === 0) throw noLeaves(name);
      const { signal } = others.at(-1) ?? {};
      // Deferred: an AbortSignal does not notify listeners that are added after the abort.
      const stop = defer(() =>
        signal === undefined ? NEVER : signal.aborted ? of(undefined) : fromEvent(signal, 'abort'),
      );
      const opened = jobStores(config);
      const release = held(signal);
      running = true;
      savepoints.open();
      const { stores } = opened;
      const services = new RunServices(config.services, config.logger);
      const memory = processMemory(config.environment.clock);
      const environment = { ...config.environment, stores, config: config.config, services, memory };
      const { checkpoints, allowDropped, ignoreUnclaimed, from, keyGroups, restart, budget, stalledAfterMs } =
        config;
      const graph = { sources, leaves, wired };
      const life = runLog({
        ...{ name, checkpoints, allowDropped, ignoreUnclaimed, from, keyGroups, savepoints },
        ...{ graph, environment },
        ...{ restart, budget, memory: config.memory, stalledAfterMs, stop, emit },
      });
      return new Promise<RunResult>((resolve, reject) => {
        life.pipe(map((outcome) => ({ outcome }))).subscribe({ next: resolve, error: reject });
      }).finally(async () => {
        await services.close();
        running = false;
        savepoints.close();
        release();
        opened.close();
      });
    },

    async savepoint(uri, options): Promise<string> {
      checkOptions('job.savepoint', options, savepointNames);
      const dir: unknown = uri ?? config.config.savepoints.dir;
      if (typeof dir !== 'string')
        throw new InvalidOption(
          'job.savepoint(uri)',
          dir,
          'a URI specified here, or configured as state.savepoints.dir',
        );
      parseUri(dir);
      return savepoints.request(dir, options?.stop === true);
    },
  };
}

const duplicateSource = (id: string): MillraceError =>
  new MillraceError(
    'DuplicateId',
    `This job already has a source '${id}'. Ids name state in checkpoints: use each once.`,
  );

const outsideRun = (id: string): MillraceError =>
  new MillraceError(
    'OutsideRun',
    `The flow of source '${id}' was subscribed outside job.run(…), or later by an operator such as subscribeOn. Pass the flow to run; use values() to get a plain Observable.`,
  );

const noLeaves = (name: string): MillraceError =>
  new MillraceError('NoLeaves', `Job '${name}' has nothing to run: pass at least one flow to run(…).`);

const alreadyRunning = (name: string): MillraceError =>
  new MillraceError('AlreadyRunning', `Job '${name}' is running: wait for run(…) before calling it again.`);
