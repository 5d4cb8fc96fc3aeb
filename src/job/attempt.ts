import { Observable, of, Subscription, type Subscriber } from 'rxjs';
import type { Coordinator } from '../checkpoint/index.js';
import { monotonic, type Attempt, type Barrier } from '../flow/index.js';
import { CreditLedger } from '../sources/creditLedger.js';
import { SourcePump } from '../sources/pump.js';
import { attemptOf, type Environment } from './environment.js';
import type { JobEvent } from './events.js';
import { AttemptFailure, Origins, type FailurePlace } from './failure.js';
import { leafAttempt } from './leaf.js';
import { Opening } from './opening.js';
import type { Wait } from './stalls.js';
import { StallWatch } from './stallWatch.js';
import { waitsOf, type AttemptState } from './waits.js';
import { Wiring, type Graph } from './wiring.js';

/**
 * One attempt of a job: from a verified claim to the end of its inputs, a stop, or a failure.
 *
 * 1. **Claiming.** The coordinator claims the log and knows what to restore.
 * 2. **Wiring.** Every leaf is subscribed. By that the leaves say which sources they need; the dead letter sink of
 *    such a source is one more leaf.
 * 3. **Opening.** Each source's pump registers, and `Open` goes to each of its branches. Operators register, restore,
 *    and pass `Open` on when they are ready.
 * 4. **Running.** Once no operator keeps an `Open` any more (`opening.ts`). A leaf that has not got one by then is an
 *    error, and so is state without an operator; otherwise restored committables are published, checkpoints begin, pumps
 *    start.
 * 5. **Ending.** When the last pump has sent `End`: a `final` barrier. Or, asked to stop: a `stop` barrier; before running,
 *    a stop just ends the attempt.
 * 6. **Settling.** The last checkpoint is durable: entries are written until nothing is pending, and what is left over is
 *    removed.
 * 7. **Completing.** Flows complete. What a leaf still does outside the flow, after `values()`, is waited for.
 *
 * A failure in any state tears everything down at once and issues nothing more; the log says where to go on. A manifest
 * that is already on its way is left alone: it can not be recalled. What is reported is `Fenced` if another process owns
 * the log by then, whatever came of it first.
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
  /** Claims the log on subscribe; emits once. */
  readonly claim: Observable<Coordinator>;
  /** Why the request of the log that is under way is repeated, if it is. */
  readonly logFailure: () => unknown;
  /** Bytes that a source may be ahead of its slowest terminal. */
  readonly budget: number;
  /** How long it may wait for one thing before it is told. `undefined`: for ever. */
  readonly stalledAfterMs: number | undefined;
  /** Emits when the job is asked to stop; at once if it was before. */
  readonly stop: Observable<unknown>;
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
  #state: AttemptState = 'opening';
  #result: Outcome = 'finished';
  /** When the state was entered. */
  #since: number;
  readonly #stalls: StallWatch;

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
      tell: plan.emit,
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

  /** A failure may come from within any call that subscribes, opens or sends: nothing is begun after it. */
  get #over(): boolean {
    return this.#state === 'over';
  }

  close(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#stalls.close();
    this.#wiring.close();
    this.#held.unsubscribe();
  }

  #open(): void {
    const shared: Attempt = attemptOf(
      this.#plan,
      this.#coordinator,
      this.#ledger,
      this.#opening,
      this.#origins,
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
        ended: (flushed) => {
          wired.ended = flushed ? 'flushed' : 'now';
          this.#endWhenEnded();
        },
        turned: () => {
          this.#stalls.nudge();
        },
        failed: (error, place) => {
          const { operator = id } = this.#origins.of(error) ?? {};
          this.#fail(error, { operator, ...(place === undefined ? {} : { source: id, ...place }) });
        },
      });
      wired.pump.open();
      if (this.#over) return;
    }
    this.#opening.holds(this);
    this.#wiring.open((leaf) => attempts.get(leaf) ?? shared);
    this.#opening.passed(this);
  }

  #run(): void {
    if (this.#state !== 'opening') return;
    // Operators that are torn down keep no `Open` either; why they are, their leaf tells next.
    if (this.#wiring.leaves.some((leaf) => leaf.failed)) return;
    this.#guard(() => {
      this.#wiring.checkOpen(this.#opening.terminals);
      this.#state = 'running';
      const { jobId, epoch, restoredCheckpoint } = this.#coordinator;
      this.#plan.emit({
        type: 'running',
        job: this.#plan.name,
        jobId,
        epoch,
        checkpoint: restoredCheckpoint,
      });
      this.#coordinator.start(
        (barrier) => {
          this.#inject(barrier);
        },
        () => this.#wiring.buffered,
      );
      for (const { pump } of this.#wiring.sources.values()) pump?.start();
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
      wiring: this.#wiring,
      ledger: this.#ledger,
    });
  }

  #endWhenEnded(): void {
    const sources = [...this.#wiring.sources.values()];
    if (sources.some(({ ended }) => ended === 'no')) return;
    if (sources.some(({ ended }) => ended === 'now')) {
      for (const { pump } of sources.filter(({ ended }) => ended === 'flushed')) pump?.end();
    }
    this.#last('final');
  }

  #last(reason: 'stop' | 'final'): void {
    if (this.#state !== 'running') return;
    this.#state = 'ending';
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

  /** Before anything has been read there is nothing to take a checkpoint of, and a store that is away is not waited for. */
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

  /** Where an error arose that comes out of a leaf, with the record that is on its way down right now, if that caused it. */
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
