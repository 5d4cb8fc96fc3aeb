import { catchError, concatMap, defer, tap, throwError, type Observable } from 'rxjs';
import { accessError, adoption, claim, type ClaimOptions, type Coordinator } from '../checkpoint/index.js';
import { MillraceError } from '../errors.js';
import { plainUri } from '../path/index.js';
import { runAttempt, type Outcome } from './attempt.js';
import { checkpointPlace } from './checkpointPlace.js';
import type { Environment } from './environment.js';
import type { JobEvent } from './events.js';
import type { ResolvedOptions } from './options.js';
import type { RestartPolicy } from './restartPolicy.js';
import type { SavepointQueue } from './savepoints.js';
import { withRestarts } from './restarts.js';
import type { Graph } from './wiring.js';

/** The parameters of a run. Not modified, so several runs may share parts. */
export interface LogPlan {
  /** The log's folder below `checkpoints.dir`; events name it as the job. */
  readonly name: string;
  readonly checkpoints: ResolvedOptions['checkpoints'];
  readonly allowDropped: readonly string[];
  readonly ignoreUnclaimed: boolean;
  /** The URI of the savepoint that an empty log begins with. */
  readonly from: string | undefined;
  readonly savepoints: SavepointQueue;
  readonly graph: Graph;
  readonly environment: Environment;
  readonly restart: RestartPolicy;
  /** Bytes that a source may be ahead of its slowest terminal. */
  readonly budget: number;
  /** Bytes that all jobs of the process may hold together. */
  readonly memory: number;
  /** How long a wait of an attempt may last before it is reported. Milliseconds; `undefined`: never. */
  readonly stalledAfterMs: number | undefined;
  /** Emits when the run is asked to stop; synchronously if it already was. */
  readonly stop: Observable<unknown>;
  readonly emit: (event: JobEvent) => void;
}

/**
 * Runs over one manifest log, on subscribe: claims it, makes an attempt, and restarts after retryable failures. Emits
 * the outcome once. Unsubscribing has the effect of a crash.
 *
 * A job has one. Runs share no state, so any number of them can coexist in a process, each with its own log, sources
 * and leaves, unaffected by failures, restarts and fencing of the others.
 */
export function runLog(plan: LogPlan): Observable<Outcome> {
  const { name, environment, restart, stop, emit } = plan;
  return withRestarts({
    name,
    restart,
    clock: environment.clock,
    random: environment.random,
    stop,
    emit,
    attempt: (durable) => {
      const on = (event: JobEvent): void => {
        if (event.type === 'checkpoint-durable') durable();
        emit(event);
      };
      let failing: unknown;
      const repeated = (error: unknown): void => void (failing = error);
      return runAttempt({ ...plan, claim: claimLog(plan, on, repeated), logFailure: () => failing });
    },
  });
}

/** Claims the log below `checkpoints.dir`, after checking that the store there supports conditional writes. */
function claimLog(
  plan: LogPlan,
  on: ClaimOptions['on'],
  repeated: ClaimOptions['repeated'],
): Observable<Coordinator> {
  return defer(() => {
    const { name: job, checkpoints, environment, allowDropped, ignoreUnclaimed, from } = plan;
    const { clock, random, stores, config } = environment;
    const { dir, fencing, ...settings } = checkpoints;
    const { location, prefix, entropy } = checkpointPlace(environment, dir, job);
    const { store, reserved: logStore, capabilities } = location;
    return capabilities.pipe(
      catchError((error: unknown) => throwError(() => accessError(error, dir))),
      tap(({ conditionalPut }) => {
        if (!conditionalPut && fencing !== 'none') throw noFencing(dir);
      }),
      concatMap(() =>
        claim({
          ...settings,
          clock,
          random,
          store,
          logStore,
          prefix,
          entropy,
          job,
          allowDropped,
          ignoreUnclaimed,
          location,
          from:
            from === undefined
              ? undefined
              : adoption({
                  ...{ uri: from, savepoint: stores.open(plainUri(from, config.transfer.entropy.key)) },
                  ...{ location, prefix, sign: settings.sign, clock, random },
                }),
          on,
          repeated,
        }),
      ),
    );
  });
}

const noFencing = (dir: string): MillraceError =>
  new MillraceError(
    'NoConditionalWrites',
    `The store of checkpoints.dir ${dir} does not honour If-None-Match on writes, so two processes could both own this job. Use a store that does, or set checkpoints.fencing: 'none' and make sure that only one process runs it.`,
  );
