import {
  filter,
  map,
  Observable,
  of,
  ReplaySubject,
  Subscription,
  switchMap,
  take,
  type Subscriber,
} from 'rxjs';
import { isRetryable } from '../errors.js';
import type { Barrier, CheckpointReason, Committable, Frozen, Participant, Restored } from '../flow/index.js';
import type { CheckpointData } from '../store/services.js';
import { Barriers, type Round } from './barriers.js';
import type { ClaimOptions, Coordinator } from './contract.js';
import { dataNames } from './dataNames.js';
import { CheckpointError, checkpointFailed, fenced, vanished } from './errors.js';
import type { CheckpointEvent } from './events.js';
import { drawId } from './ids.js';
import { LogDriver } from './logDriver.js';
import type { LogEffect } from './logState.js';
import type { Manifest } from './manifest.js';
import { orphans } from './orphans.js';
import { idsOf, restoredOf } from './restored.js';
import { settlement, toPublish } from './settlement.js';
import { supersededBy } from './superseded.js';
import { Triggers } from './triggers.js';

/**
 * The coordinator turns barriers into manifests.
 *
 * 1. **Claim.** The log is claimed and verified before anyone hears of this attempt; `restored` shows what the claim repeats.
 * 2. **Start.** All participants are there. Restored committables go to their sinks; leftovers of dead attempts are listed.
 * 3. **Barrier.** It goes to the sources; each participant acks with what it froze. What comes late is still carried.
 * 4. **Manifest.** All acks are there: the draft goes to the manifest log, which gives it a number.
 * 5. **Durable.** The barrier's outcome emits, then sinks get all that the manifest has pending, publish and confirm it.
 * 6. **Settle.** After the last barrier, further entries are written until nothing is pending.
 *
 * A crash between any two steps is covered by the log's own rules (`manifestLog.ts`). `close` is such a crash.
 */
export function claim(options: ClaimOptions): Observable<Coordinator> {
  return new Observable((claimant) => {
    const coordinator = new LogCoordinator(options, claimant);
    coordinator.claim();
    return () => {
      coordinator.abandon();
    };
  });
}

class LogCoordinator implements Coordinator {
  readonly errors$ = new ReplaySubject<unknown>(1);
  readonly #options: ClaimOptions;
  readonly #claimant: Subscriber<Coordinator>;
  readonly #driver: LogDriver;
  readonly #triggers: Triggers | undefined;
  readonly #participants = new Map<string, Participant>();
  readonly #held = new Subscription();
  readonly #settled = new ReplaySubject<void>(1);
  #claimed: Manifest | undefined;
  #finished = false;
  #data: CheckpointData | undefined;
  #barriers = new Barriers(this.#participants, 0);
  #inject: (barrier: Barrier) => void = () => undefined;
  #failures = 0;
  #last: CheckpointReason | undefined;
  #settling = false;
  #closed = false;

  constructor(options: ClaimOptions, claimant: Subscriber<Coordinator>) {
    this.#options = options;
    this.#claimant = claimant;
    const {
      store,
      logStore = store,
      prefix,
      job,
      clock,
      random,
      retained = 1,
      intervalMs,
      minPauseMs = 0,
    } = options;
    this.#driver = new LogDriver({
      store,
      logStore,
      prefix,
      clock,
      random,
      self: { job, jobId: drawId(random), nonce: drawId(random), retained },
      on: (effect) => {
        this.#on(effect);
      },
      idle: () => {
        this.#settle();
      },
      inDoubt: (n, tries, error) => {
        this.#tell({ type: 'manifest-in-doubt', n, tries, error });
      },
      deleted: (keys, failed) => {
        this.#tell({ type: 'garbage-deleted', keys, failed });
      },
      broken: (error) => {
        this.#fail(error);
      },
    });
    if (intervalMs === undefined) return;
    const busy = (): boolean => this.#barriers.unfinished !== undefined;
    this.#triggers = new Triggers(clock, intervalMs, minPauseMs, busy, () => {
      this.#inject(this.trigger('periodic'));
    });
  }

  get jobId(): string {
    return this.#manifest.jobId;
  }

  get epoch(): number {
    return this.#manifest.epoch;
  }

  get restoredCheckpoint(): number {
    return this.#manifest.checkpoint;
  }

  get finished(): boolean {
    return this.#finished;
  }

  get data(): CheckpointData {
    return (this.#data ??= dataNames(this.#options.store, this.#options.prefix, this.epoch));
  }

  ids(): readonly string[] {
    return idsOf(this.#manifest);
  }

  restored(id: string): Restored | undefined {
    return restoredOf(this.#manifest, id);
  }

  register(participant: Participant): void {
    const { id } = participant;
    if (this.#participants.has(id)) {
      throw new CheckpointError(
        'DuplicateId',
        `Two operators have the id '${id}'. Give each an id of its own: state is found by it.`,
      );
    }
    this.#participants.set(id, participant);
  }

  start(inject: (barrier: Barrier) => void): void {
    const gone = this.ids().filter((id) => !this.#participants.has(id));
    if (gone.length > 0) throw vanished(gone);
    this.#inject = inject;
    this.#commit(this.#manifest);
    if (this.epoch > 1) this.#sweep();
    this.#triggers?.start();
  }

  trigger(reason: CheckpointReason): Barrier {
    const { clock, timeoutMs = 600_000 } = this.#options;
    if (reason === 'stop' || reason === 'final') {
      this.#last = reason;
      this.#triggers?.stop();
    }
    const round = this.#barriers.begin(reason, clock.now(), (of, id, frozen) => {
      this.#acked(of, id, frozen);
    });
    this.#tell({ type: 'checkpoint-started', checkpoint: round.barrier.checkpoint, reason });
    if (!this.#closed) {
      const timer = clock.after(timeoutMs, () => {
        this.#timedOut(round);
      });
      this.#held.add(timer);
      round.outcome.subscribe(() => {
        timer.unsubscribe();
        this.#held.remove(timer);
      });
    }
    this.#write();
    return round.barrier;
  }

  confirm(sink: string, uid: string): void {
    const known = this.#driver.state.ledger.pending.some(
      (each) => each.sink === sink && each.committable.uid === uid,
    );
    if (!known || this.#closed) return;
    this.#tell({ type: 'confirmed', sink, uid });
    this.#driver.send({ type: 'confirm', sink, uid });
  }

  amend(sink: string, committable: Committable): void {
    const { objects = [] } = committable;
    this.#driver.send({ type: 'named', objects, checkpoint: this.#barriers.newest });
    this.#driver.send({ type: 'amend', sink, committable });
  }

  finish(reason: 'stop' | 'final'): Observable<void> {
    return new Observable((done) => {
      const barrier = this.trigger(reason);
      const settled = barrier.outcome.pipe(
        filter((outcome) => outcome === 'durable'),
        switchMap(() => this.settle()),
      );
      done.add(settled.subscribe(done));
      this.#inject(barrier);
    });
  }

  settle(): Observable<void> {
    return new Observable((done) => {
      done.add(this.#settled.pipe(take(1)).subscribe(done));
      this.#settling = true;
      this.#settle();
    });
  }

  claim(): void {
    this.#driver.send({ type: 'start' });
  }

  /** Nobody waits for the claim any more; a claimed one is its owner's to close. */
  abandon(): void {
    if (this.#claimed === undefined) this.close();
  }

  explain(error: unknown): Observable<unknown> {
    if (error instanceof CheckpointError && error.code === 'Fenced') return of(error);
    const { store, logStore = store, prefix, job, on } = this.#options;
    const last = this.#driver.state.last?.manifest ?? this.#manifest;
    // A restart would look again; the end of a job is worth asking more than once.
    return supersededBy(logStore, prefix, last, isRetryable(error) ? 0 : 4).pipe(
      map((n) => {
        if (n === undefined) return error;
        const explained = fenced(job, n, error);
        on?.({ type: 'fenced', n, message: explained.message });
        return explained;
      }),
    );
  }

  close(): void {
    this.#closed = true;
    this.#driver.close();
    this.#triggers?.stop();
    this.#held.unsubscribe();
  }

  get #manifest(): Manifest {
    if (this.#claimed === undefined) throw new Error('The log is not claimed yet.');
    return this.#claimed;
  }

  #on(effect: Extract<LogEffect, { type: 'claimed' | 'durable' | 'subsumed' | 'fenced' | 'failed' }>): void {
    switch (effect.type) {
      case 'claimed': {
        const { manifest, parent } = effect;
        const { jobId, epoch, n, checkpoint } = manifest;
        this.#claimed = manifest;
        this.#finished = parent?.finished === true;
        this.#barriers = new Barriers(this.#participants, checkpoint);
        this.#tell({ type: 'claimed', jobId, epoch, n, checkpoint });
        this.#claimant.next(this);
        this.#claimant.complete();
        return;
      }
      case 'durable':
        this.#durable(effect.manifest);
        return;
      case 'subsumed':
        return; // told when the one that took its place is durable
      case 'fenced': {
        const error = fenced(this.#options.job, effect.n);
        this.#tell({ type: 'fenced', n: effect.n, message: error.message });
        this.#fail(error);
        return;
      }
      case 'failed':
        this.#fail(effect.error);
    }
  }

  #acked(round: Round, id: string, frozen: Frozen): void {
    if (this.#closed) return;
    this.#barriers.acked(round, id, frozen);
    const { objects = [], open = [], closed = [] } = frozen;
    const named = [...objects, ...[...open, ...closed].flatMap((each) => each.objects ?? [])];
    this.#driver.send({ type: 'named', objects: named, checkpoint: this.#barriers.newest });
    this.#driver.send({
      type: 'closed',
      sink: id,
      committables: closed,
      checkpoint: round.barrier.checkpoint,
    });
    this.#write();
  }

  #write(): void {
    for (const { barrier, operators } of this.#barriers.takeReady()) {
      const { checkpoint, reason } = barrier;
      const draft = { checkpoint, operators: Object.fromEntries(operators), final: reason === 'final' };
      this.#driver.send({ type: 'write', draft });
    }
  }

  #timedOut(round: Round): void {
    if (round.state !== 'waiting') return; // an issued manifest has no timeout
    round.state = 'failed';
    this.#triggers?.ended();
    const { checkpoint, reason } = round.barrier;
    this.#tell({ type: 'checkpoint-failed', checkpoint, waitingFor: [...round.missing] });
    const { tolerableFailures = 0 } = this.#options;
    const last = reason === 'stop' || reason === 'final';
    if (last || ++this.#failures > tolerableFailures)
      this.#fail(checkpointFailed(checkpoint, [...round.missing]));
  }

  #durable(manifest: Manifest): void {
    const { checkpoint, n } = manifest;
    const round = this.#barriers.find(checkpoint);
    if (round !== undefined && round.state !== 'over') {
      const { clock } = this.#options;
      this.#failures = 0;
      this.#triggers?.ended();
      const durationMs = clock.now() - round.startedAt;
      this.#tell({ type: 'checkpoint-durable', checkpoint, n, durationMs, bytes: this.#driver.bytes });
      for (const { barrier } of this.#barriers.settle(checkpoint)) {
        this.#tell({ type: 'checkpoint-subsumed', checkpoint: barrier.checkpoint, by: checkpoint });
      }
    }
    this.#commit(manifest);
  }

  #commit(manifest: Manifest): void {
    for (const [sink, committables] of toPublish(manifest, this.#driver.state.ledger)) {
      this.#participants.get(sink)?.commit?.(committables);
    }
  }

  /** One more entry once everything in the newest one has moved on. */
  #settle(): void {
    if (!this.#settling || this.#closed) return;
    const settling = settlement(this.#driver.state, this.#last === 'final');
    if (settling === 'waiting') return;
    if ('operators' in settling) {
      this.#driver.send({ type: 'write', draft: settling });
      return;
    }
    this.#settling = false;
    this.#tell({ type: 'settled', n: settling.n, finished: settling.finished });
    this.#settled.next();
  }

  #sweep(): void {
    const { store, prefix } = this.#options;
    this.#held.add(
      orphans(store, prefix, this.epoch).subscribe({
        next: (keys) => {
          this.#driver.send({ type: 'orphans', keys });
        },
        error: (error: unknown) => {
          this.#tell({ type: 'sweep-skipped', error });
        },
      }),
    );
  }

  #tell(event: CheckpointEvent): void {
    if (!this.#closed) this.#options.on?.(event);
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.close();
    if (this.#claimed === undefined) this.#claimant.error(error);
    else this.errors$.next(error);
  }
}
