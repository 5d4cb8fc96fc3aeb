import { concat, defer, ignoreElements, Observable, of, Subscription, type Subscriber } from 'rxjs';
import type { Coordinator } from '../checkpoint/index.js';
import { monotonic, type Attempt, type Barrier } from '../flow/index.js';
import { hideUserInfo, plainUri } from '../path/index.js';
import type { KeyGroupRange } from '../state/index.js';
import { checkpointsBelow } from '../sinks/twoPhase/places.js';
import { CreditLedger } from '../sources/creditLedger.js';
import { SourcePump } from '../sources/pump.js';
import { attemptOf, checkpointFoldersOf, type Environment } from './environment.js';
import type { JobEvent } from './events.js';
import { AttemptFailure, Origins, type FailurePlace } from './failure.js';
import { leafAttempt } from './leaf.js';
import type { MemoryAccount } from './memory/index.js';
import { memoryExceeded } from './memoryExceeded.js';
import { Opening } from './opening.js';
import type { Wait } from './stalls.js';
import { ProgressWatch } from './progressWatch.js';
import { StallWatch } from './stallWatch.js';
import type { SavepointQueue, SavepointRequest } from './savepoints.js';
import { waitsOf, type Adopting, type AttemptState } from './waits.js';
import { Wiring, type Graph } from './wiring.js';

/**
 * One attempt of a job: from claiming the log to the end of its inputs, a stop, or a failure.
 *
 * 1. **Claiming.** The coordinator claims the log, and so knows what to restore.
 * 2. **Wiring.** Every leaf is subscribed, which determines the sources that are needed. The dead letter sink of such
 *    a source is an additional leaf.
 * 3. **Opening.** Each source's pump registers, and `Open` is sent to each of its branches. Operators register,
 *    restore, and pass `Open` on when they are ready.
 * 4. **Running** begins when no operator holds an `Open` any more (`opening.ts`). A leaf without one by then is an error,
 *    and so is state without an operator. Otherwise restored committables are published,
 *    checkpoints begin, and pumps start.
 * 5. **Ending.** When the last pump has sent `End`, a `final` barrier follows. If asked to stop, a `stop` barrier is
 *    sent instead; before running, a stop just ends the attempt.
 * 6. **Settling.** The last checkpoint is durable: entries are written until nothing is pending, and leftovers are
 *    removed.
 * 7. **Completing.** Flows complete. The attempt waits for what a leaf still does outside the flow, after `values()`.
 *
 * A failure in any state tears everything down immediately and issues nothing more; the log has the state to continue
 * from. A manifest in flight is left alone, because it cannot be recalled. If another process owns the log by then,
 * `Fenced` is reported instead of the first error.
 */
export function runAttempt(plan: AttemptPlan): Observable<Outcome> {
  return new Observable<Outcome>((outcome) => {
    const running = new RunningAttempt(plan, outcome);
    running.start();
    return () => {
      running.close();
    };
  });
}

export type Outcome = 'finished' | 'stopped';

export interface AttemptPlan {
  /** The job's name. */
  readonly name: string;
  readonly graph: Graph;
  readonly environment: Environment;
  readonly checkpoints: { readonly dir: string };
  /** The key groups whose state the operators have. Default all. */
  readonly keyGroups?: KeyGroupRange | undefined;
  /** Claims the log on subscribe; emits once. */
  readonly claim: Observable<Coordinator>;
  /** Why the current request of the log is being repeated, if it is. */
  readonly logFailure: () => unknown;
  /** The copy of the savepoint that the log begins with, while it is made. */
  readonly adopting: () => Adopting | undefined;
  /** Bytes that a source may be ahead of its slowest terminal. */
  readonly budget: number;
  /** Bytes that all jobs of the process may hold together. */
  readonly memory: number;
  /** How long a wait may last before it is reported. Milliseconds; `undefined`: never. */
  readonly stalledAfterMs: number | undefined;
  /** Emits when the job is asked to stop; synchronously if it already was. */
  readonly stop: Observable<unknown>;
  readonly savepoints: SavepointQueue;
  readonly emit: (event: JobEvent) => void;
}

class RunningAttempt {
  readonly #plan: AttemptPlan;
  readonly #outcome: Subscriber<Outcome>;
  readonly #held = new Subscription();
  readonly #wiring: Wiring;
  readonly #ledger: CreditLedger;
  readonly #opening = new Opening(() => {
    this.#run();
  });
  readonly #origins = new Origins();
  #coordinator!: Coordinator;
  #account: MemoryAccount | undefined;
  #state: AttemptState = 'opening';
  #result: Outcome = 'finished';
  /** When the state was entered. */
  #since: number;
  /** When the account started to wait for memory, or last received some. */
  #memorySince = 0;
  readonly #stalls: StallWatch;
  readonly #progress: ProgressWatch;

  constructor(plan: AttemptPlan, outcome: Subscriber<Outcome>) {
    this.#plan = plan;
    this.#outcome = outcome;
    this.#wiring = new Wiring(plan.graph, {
      failed: (error) => {
        this.#fail(error, this.#placeOf(error));
      },
      completed: () => {
        this.#end();
      },
    });
    this.#ledger = new CreditLedger((source, bytes) =>
      this.#wiring.sources.get(source)?.pump?.released(bytes),
    );
    const { clock } = plan.environment;
    this.#since = monotonic(clock);
    this.#stalls = new StallWatch({
      job: plan.name,
      clock,
      afterMs: plan.stalledAfterMs,
      waits: () => this.#waits(),
      report: plan.emit,
    });
    this.#progress = new ProgressWatch({
      job: plan.name,
      clock,
      sources: () => this.#wiring.progress,
      report: plan.emit,
    });
  }

  start(): void {
    this.#held.add(
      this.#plan.stop.subscribe(() => {
        this.#stop();
      }),
    );
    if (this.#over) return;
    this.#held.add(
      this.#plan.claim.subscribe({
        next: (coordinator) => {
          this.#guard(() => {
            this.#claimed(coordinator);
          });
        },
        error: (error: unknown) => {
          this.#fail(error);
        },
      }),
    );
    this.#stalls.nudge();
  }

  #claimed(coordinator: Coordinator): void {
    this.#coordinator = coordinator;
    this.#since = monotonic(this.#plan.environment.clock);
    this.#held.add(() => {
      coordinator.close();
    });
    this.#held.add(
      coordinator.errors$.subscribe((error) => {
        this.#fail(error);
      }),
    );
    this.#wiring.connect(() => this.#over);
    if (!this.#over) this.#open();
    this.#stalls.nudge();
  }

  /** Any call that subscribes, opens or sends may fail the attempt synchronously: nothing starts after that. */
  get #over(): boolean {
    return this.#state === 'over';
  }

  close(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#stalls.close();
    this.#progress.close();
    this.#wiring.close();
    this.#held.unsubscribe();
  }

  #open(): void {
    const { environment, name, memory } = this.#plan;
    const account = (this.#account = environment.memory.open({
      owner: `job '${name}'`,
      total: memory,
      waits: (share) => {
        this.#memorySince = monotonic(environment.clock);
        this.#opening.holds(share);
      },
      granted: (share) => {
        this.#memorySince = this.#since = monotonic(environment.clock);
        this.#opening.passed(share);
        this.#stalls.nudge();
      },
      exceeded: (fixed, total) => {
        this.#plan.emit(memoryExceeded(name, fixed, total));
      },
    }));
    this.#held.add(() => {
      account.close();
    });
    this.#opening.holds(this);
    const shared: Attempt = attemptOf(
      this.#plan,
      this.#coordinator,
      this.#ledger,
      this.#opening,
      this.#origins,
      account,
    );
    const attempts = new Map(this.#wiring.leaves.map((leaf) => [leaf, leafAttempt(shared, leaf)]));
    for (const [id, wired] of this.#wiring.sources) {
      wired.pump = new SourcePump({
        id,
        source: wired.source,
        attempt: shared,
        budget: this.#plan.budget,
        records: wired.records,
        letters: wired.letters,
        flushed: this.#coordinator.finished,
        ended: () => {
          wired.ended = true;
          this.#endWhenEnded();
        },
        turned: () => {
          this.#stalls.nudge();
          this.#progress.nudge();
        },
        failed: (error, place) => {
          const { operator = id } = this.#origins.of(error) ?? {};
          this.#fail(error, { operator, ...(place === undefined ? {} : { source: id, ...place }) });
        },
      });
      wired.pump.open();
      if (this.#over) return;
    }
    this.#wiring.open((leaf) => attempts.get(leaf) ?? shared);
    this.#opening.passed(this);
  }

  #run(): void {
    if (this.#state !== 'opening') return;
    // Operators that are torn down release their `Open`, too. The failed leaf reports the error.
    if (this.#wiring.leaves.some((leaf) => leaf.failed)) return;
    this.#guard(() => {
      this.#wiring.checkOpen(this.#opening.terminals);
      this.#state = 'running';
      this.#coordinator.start(
        (barrier) => {
          this.#inject(barrier);
        },
        () => this.#wiring.buffered,
      );
      for (const { pump } of this.#wiring.sources.values()) pump?.start();
      this.#held.add(this.#plan.savepoints.serve((request) => this.#savepoint(request)));
      // Its handlers may stop the job.
      const { jobId, epoch, restoredCheckpoint } = this.#coordinator;
      this.#plan.emit({
        type: 'running',
        job: this.#plan.name,
        jobId,
        epoch,
        checkpoint: restoredCheckpoint,
      });
      // Last, because growing shares send requests, during which the attempt may be asked to stop.
      this.#account?.start();
    });
  }

  #savepoint({ uri, stop }: SavepointRequest): Observable<never> {
    const { stores, config } = this.#plan.environment;
    return defer(() => {
      const location = stores.open(plainUri(uri, config.transfer.entropy.key));
      const folders = checkpointFoldersOf(this.#plan, this.#coordinator);
      const made = new Observable<never>((out) => {
        out.add(this.#coordinator.savepoint({ uri: hideUserInfo(uri), location }).subscribe(out));
        // In the same turn, so that no record comes between the two barriers.
        if (stop) this.#last('stop');
      });
      return concat(
        checkpointsBelow('job.savepoint(uri)', uri, location, folders).pipe(ignoreElements()),
        made,
      );
    });
  }

  #inject(barrier: Barrier): void {
    for (const { pump } of this.#wiring.sources.values()) pump?.barrier(barrier);
    this.#held.add(
      barrier.outcome.subscribe(() => {
        this.#stalls.nudge();
      }),
    );
    this.#stalls.nudge();
  }

  #waits(): readonly Wait[] {
    const coordinator = this.#coordinator as Coordinator | undefined;
    return waitsOf({
      state: this.#state,
      since: this.#since,
      coordinator,
      logFailure: this.#plan.logFailure(),
      adopting: this.#plan.adopting(),
      memory: { holders: this.#account?.waiting ?? [], since: this.#memorySince },
      wiring: this.#wiring,
      ledger: this.#ledger,
    });
  }

  #endWhenEnded(): void {
    const sources = [...this.#wiring.sources.values()];
    if (!sources.every(({ ended }) => ended)) return;
    this.#last('final');
  }

  #last(reason: 'stop' | 'final'): void {
    if (this.#state !== 'running') return;
    this.#state = 'ending';
    this.#progress.flush();
    this.#guard(() => {
      this.#held.add(
        this.#coordinator.finish(reason).subscribe({
          error: (error: unknown) => {
            this.#fail(error);
          },
          complete: () => {
            this.#complete(reason === 'final' ? 'finished' : 'stopped');
          },
        }),
      );
    });
  }

  /**
   * Before anything has been read there is nothing to checkpoint, so the job need not wait for an unavailable store.
   */
  #stop(): void {
    if (this.#state !== 'opening') {
      this.#last('stop');
      return;
    }
    this.close();
    this.#outcome.next('stopped');
    this.#outcome.complete();
  }

  #complete(outcome: Outcome): void {
    this.#state = 'completing';
    this.#since = monotonic(this.#plan.environment.clock);
    this.#result = outcome;
    this.#wiring.complete();
    this.#end();
  }

  /** Ends the attempt once every leaf has completed. */
  #end(): void {
    this.#stalls.nudge();
    if (this.#state !== 'completing' || !this.#wiring.leaves.every(({ closed }) => closed)) return;
    this.close();
    this.#outcome.next(this.#result);
    this.#outcome.complete();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Where an error from a leaf occurred, with the record being handled if that caused it. */
  #placeOf(error: unknown): FailurePlace {
    const origin = this.#origins.of(error);
    if (origin === undefined) return this.#wiring.place;
    const { operator, ofRecord } = origin;
    return { operator, ...(ofRecord ? this.#wiring.place : {}) };
  }

  #fail(error: unknown, place: FailurePlace = {}): void {
    if (this.#state === 'over') return;
    this.close();
    const claimed = this.#coordinator as Coordinator | undefined;
    this.#outcome.add(
      (claimed?.leave(error) ?? of(error)).subscribe((why) => {
        this.#outcome.error(new AttemptFailure(why, Object.is(why, error) ? place : {}));
      }),
    );
  }
}
