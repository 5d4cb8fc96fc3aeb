import { catchError, concatMap, defer, finalize, tap, throwError, type Observable } from 'rxjs';
import {
  accessError,
  adoption,
  claim,
  type Adoption,
  type AdoptOptions,
  type ClaimOptions,
  type Coordinator,
} from '../checkpoint/index.js';
import { MillraceError } from '../errors.js';
import { monotonic } from '../flow/index.js';
import { hideUserInfo, plainUri } from '../path/index.js';
import type { KeyGroupRange } from '../state/index.js';
import { runAttempt, type Outcome } from './attempt.js';
import type { Adopting } from './waits.js';
import { checkpointPlace } from './checkpointPlace.js';
import type { Environment } from './environment.js';
import type { JobEvent } from './events.js';
import { allowancesOf } from './memory/index.js';
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
  /** The URIs of the savepoints that an empty log begins with. */
  readonly from: readonly string[];
  /** The key groups whose state the log has. Default all. */
  readonly keyGroups: KeyGroupRange | undefined;
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
      let adopting: Adopting | undefined;
      const claimed = claimLog(plan, {
        on,
        repeated: (error) => void (failing = error),
        adopting: (wait) => void (adopting = wait),
      });
      return runAttempt({ ...plan, claim: claimed, logFailure: () => failing, adopting: () => adopting });
    },
  });
}

/** Claims the log below `checkpoints.dir`, after checking that the store there supports conditional writes. */
function claimLog(
  plan: LogPlan,
  {
    on,
    repeated,
    adopting,
  }: Pick<ClaimOptions, 'on' | 'repeated'> & {
    readonly adopting: (wait: Adopting | undefined) => void;
  },
): Observable<Coordinator> {
  return defer(() => {
    const { name: job, checkpoints, environment, allowDropped, ignoreUnclaimed, keyGroups } = plan;
    const { clock, random } = environment;
    const allow = allowancesOf(environment.memory, () => plan.memory);
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
          keyGroups,
          from: adoptionOf(plan, { location, prefix, allow }, adopting),
          allow,
          on,
          repeated,
        }),
      ),
    );
  });
}

/** The savepoints that an empty log begins with. `adopting` hears of each step of its copy, and of the end. */
function adoptionOf(
  plan: LogPlan,
  place: Pick<AdoptOptions, 'location' | 'prefix' | 'allow'>,
  adopting: (wait: Adopting | undefined) => void,
): Adoption | undefined {
  const { from, keyGroups, allowDropped, checkpoints, environment } = plan;
  if (from.length === 0) return undefined;
  const { clock, random, stores, config } = environment;
  const uris = from.map((uri) => plainUri(uri, config.transfer.entropy.key));
  const moved = (): void => {
    adopting({ uri: uris.map(hideUserInfo).join(', '), since: monotonic(clock) });
  };
  const { adopted, ...adopts } = adoption({
    ...{ ...place, keyGroups, allowDropped, sign: checkpoints.sign, clock, random, moved },
    savepoints: uris.map((uri) => ({ uri, location: stores.open(uri) })),
  });
  const watched = defer(() => {
    moved();
    return adopted.pipe(
      finalize(() => {
        adopting(undefined);
      }),
    );
  });
  return { ...adopts, adopted: watched };
}

const noFencing = (dir: string): MillraceError =>
  new MillraceError(
    'NoConditionalWrites',
    `The store of checkpoints.dir ${dir} does not honour If-None-Match on writes, so two processes could both own this job. Use a store that does, or set checkpoints.fencing: 'none' and make sure that only one process runs it.`,
  );
