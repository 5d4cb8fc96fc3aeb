import {
  concat,
  concatMap,
  EMPTY,
  filter,
  ignoreElements,
  Observable,
  of,
  ReplaySubject,
  Subscription,
  switchMap,
  take,
  type Subscriber,
} from 'rxjs';
import {
  monotonic,
  type Barrier,
  type CheckpointReason,
  type Committable,
  type Frozen,
  type Participant,
  type Restored,
} from '../flow/index.js';
import type { CheckpointData } from '../store/services.js';
import type { Round } from './barriers.js';
import type { CheckpointWait, ClaimOptions, Coordinator } from './contract.js';
import { dataNames, drawEntropy, isDataName, noDataName, type DataPlace } from './dataPlace.js';
import { CheckpointError, fenced } from './errors.js';
import type { CheckpointEvent } from './events.js';
import { drawId } from './ids.js';
import { sweep, told } from './leftovers.js';
import { LogDriver } from './logDriver.js';
import type { LogEffect } from './logState.js';
import { isStray, logKey, type Manifest } from './manifest.js';
import { checkIds, idsOf, restoredOf } from './restored.js';
import { Rounds } from './rounds.js';
import { settlement, toPublish } from './settlement.js';
import { explain, heirOf, isFenced } from './superseded.js';
import { scopeOf } from './trust.js';

/**
 * The coordinator turns barriers into manifests.
 *
 * 1. **Claim.** The log is claimed and verified before anyone hears of this attempt; `restored` shows what the claim repeats.
 * 2. **Start.** All participants are there. Restored committables go to their sinks; what dead attempts left is removed.
 * 3. **Barrier.** It goes to the sources; each participant acks with what it froze. What comes late is still carried.
 * 4. **Manifest.** All acks are there: the draft goes to the manifest log, which gives it a number.
 * 5. **Durable.** Participants hear of it, the barrier's outcome emits, then sinks get all that the manifest has pending, publish and confirm it.
 * 6. **Settle.** After the last barrier, further entries are written until nothing is pending. Participants have nothing
 *    under way then; what is left over is removed before anyone hears of the end.
 *
 * A crash between any two steps is covered by the log's own rules (`manifestLog.ts`). `close` is such a crash. What
 * is left over, and why it may go, is told in `leftovers.ts`.
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

/** What there is from the verified claim on. */
interface Claimed {
  readonly manifest: Manifest;
  readonly finished: boolean;
  readonly rounds: Rounds;
}

class LogCoordinator implements Coordinator {
  readonly errors$ = new ReplaySubject<unknown>(1);
  readonly #options: ClaimOptions;
  readonly #claimant: Subscriber<Coordinator>;
  readonly #driver: LogDriver;
  readonly #participants = new Map<string, Participant>();
  #sweeping = Subscription.EMPTY;
  readonly #settled = new ReplaySubject<void>(1);
  #claimed: Claimed | undefined;
  #data: CheckpointData | undefined;
  #inject: (barrier: Barrier) => void = () => undefined;
  #buffered: () => Readonly<Record<string, number>> = () => ({});
  #started = false;
  #settling: 'no' | 'publishing' | 'sweeping' = 'no';
  /** The last deletion failed, and that was told. */
  #refused = false;
  /** When the settling last got on. */
  #settlingSince = 0;
  #closed = false;

  constructor(options: ClaimOptions, claimant: Subscriber<Coordinator>) {
    this.#options = options;
    this.#claimant = claimant;
    const { store, logStore = store, prefix, entropy, job, clock, random, retained = 1 } = options;
    const scope = scopeOf(options);
    this.#driver = new LogDriver({
      store,
      logStore,
      prefix,
      clock,
      random,
      scope,
      self: {
        job,
        dir: scope.sign && scope.uri,
        jobId: drawId(random),
        nonce: drawId(random),
        retained,
        entropy: entropy && drawEntropy(entropy, random),
      },
      on: (effect) => {
        this.#on(effect);
      },
      idle: () => {
        this.#settle();
      },
      inDoubt: (n, tries, error) => {
        this.#tell({ type: 'manifest-in-doubt', n, tries, error });
      },
      deleted: (keys, failed, error) => {
        this.#tell({ type: 'garbage-deleted', keys, failed });
        if (failed > 0 && !this.#refused) this.#tell({ type: 'deletion-refused', names: failed, error });
        this.#refused = failed > 0;
      },
      broken: (error) => {
        this.#fail(error);
      },
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
    return this.#owned.finished;
  }

  get data(): CheckpointData {
    const { store, random } = this.#options;
    return (this.#data ??= dataNames(store, this.#place, this.epoch, random));
  }

  get waiting(): CheckpointWait | undefined {
    if (this.#settling === 'no') return this.#claimed?.rounds.waiting;
    const { pending } = this.#driver.state.ledger;
    return {
      on: 'publishing',
      operators: [...new Set(pending.map(({ sink }) => sink))],
      since: this.#settlingSince,
    };
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
        `Two operators have the id '${id}', or one operator was subscribed twice. Give each operator an id of its own: state is found by it. To feed several sinks from one flow, end it with RxJS's share().`,
      );
    }
    if (this.#started) {
      throw new CheckpointError(
        'LateRegistration',
        `'${id}' registered after the job began to run: a plain asynchronous operator (delay, observeOn) before it holds Open back. Lift operators with records(…).`,
      );
    }
    this.#participants.set(id, participant);
  }

  start(inject: (barrier: Barrier) => void, buffered = this.#buffered): void {
    checkIds(this.#manifest, this.#participants, this.#options.allowDropped);
    this.#started = true;
    this.#inject = inject;
    this.#buffered = buffered;
    this.#tellDurable(this.restoredCheckpoint);
    if (this.#closed) return;
    this.#commit(this.#manifest);
    if (this.epoch > 1) this.#sweeping = this.#sweep(this.epoch - 1, this.#manifest).subscribe();
    this.#owned.rounds.start();
  }

  trigger(reason: CheckpointReason): Barrier {
    return this.#owned.rounds.begin(reason);
  }

  confirm(sink: string, uid: string): void {
    const known = this.#driver.state.ledger.pending.some(
      (each) => each.sink === sink && each.committable.uid === uid,
    );
    if (!known || this.#closed) return;
    this.#settlingSince = monotonic(this.#options.clock);
    this.#tell({ type: 'confirmed', sink, uid });
    this.#driver.send({ type: 'confirm', sink, uid });
  }

  amend(sink: string, committable: Committable): void {
    const { objects = [] } = committable;
    this.#driver.send({ type: 'named', objects, checkpoint: this.#owned.rounds.newest });
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
      this.#enter('publishing');
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

  leave(error: unknown): Observable<unknown> {
    this.close();
    const last = this.#driver.state.last?.manifest ?? this.#manifest;
    return explain(error, last, this.#options).pipe(
      concatMap((why) => concat(isFenced(why) ? this.#sweepOwn(last) : EMPTY, of(why))),
    );
  }

  close(): void {
    this.#closed = true;
    this.#driver.close();
    this.#claimed?.rounds.close();
    this.#sweeping.unsubscribe();
  }

  get #owned(): Claimed {
    if (this.#claimed === undefined) throw new Error('The log is not claimed yet.');
    return this.#claimed;
  }

  get #place(): DataPlace {
    return { prefix: this.#options.prefix, entropy: this.#manifest.entropy };
  }

  get #manifest(): Manifest {
    return this.#owned.manifest;
  }

  #on(effect: Extract<LogEffect, { type: 'claimed' | 'durable' | 'subsumed' | 'fenced' | 'failed' }>): void {
    switch (effect.type) {
      case 'claimed': {
        const { manifest, parent } = effect;
        const { jobId, epoch, n, checkpoint } = manifest;
        this.#claimed = {
          manifest,
          finished: parent?.finished === true,
          rounds: this.#roundsAfter(checkpoint),
        };
        this.#tell({ type: 'claimed', jobId, epoch, n, checkpoint });
        this.#claimant.next(this);
        this.#claimant.complete();
        return;
      }
      case 'durable':
        // First: the outcome may end the attempt.
        this.#tellDurable(effect.manifest.checkpoint);
        if (this.#closed) return;
        this.#owned.rounds.durable(effect.manifest.checkpoint, effect.manifest.n, this.#driver.bytes);
        this.#commit(effect.manifest);
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

  #roundsAfter(restored: number): Rounds {
    return new Rounds(this.#options, this.#participants, restored, {
      due: () => {
        this.#inject(this.trigger('periodic'));
      },
      acked: (id, frozen, checkpoint) => {
        this.#acked(id, frozen, checkpoint);
      },
      ready: (round) => {
        this.#write(round);
      },
      buffered: () => this.#buffered(),
      failed: (error) => {
        this.#fail(error);
      },
      tell: (event) => {
        this.#tell(event);
      },
    });
  }

  #acked(sink: string, frozen: Frozen, checkpoint: number): void {
    const { objects = [], open = [], closed = [] } = frozen;
    const named = [...objects, ...[...open, ...closed].flatMap((each) => each.objects ?? [])];
    const foreign = named.find((name) => !isDataName(name));
    if (foreign !== undefined) {
      this.#fail(noDataName(`Operator '${sink}'`, foreign));
      return;
    }
    this.#driver.send({ type: 'named', objects: named, checkpoint: this.#owned.rounds.newest });
    this.#driver.send({ type: 'closed', sink, committables: closed, checkpoint });
  }

  #write({ barrier, operators }: Round): void {
    const { checkpoint, reason } = barrier;
    const draft = { checkpoint, operators: Object.fromEntries(operators), final: reason === 'final' };
    this.#driver.send({ type: 'write', draft });
  }

  #commit(manifest: Manifest): void {
    for (const [sink, committables] of toPublish(manifest, this.#driver.state.ledger)) {
      this.#participants.get(sink)?.commit?.(committables);
    }
  }

  #tellDurable(checkpoint: number): void {
    for (const participant of this.#participants.values()) participant.durable?.(checkpoint);
  }

  #enter(phase: 'publishing' | 'sweeping'): void {
    this.#settling = phase;
    this.#settlingSince = monotonic(this.#options.clock);
  }

  /** One more entry once everything in the newest one has moved on. */
  #settle(): void {
    if (this.#settling !== 'publishing' || this.#closed) return;
    const settling = settlement(this.#driver.state, this.#owned.rounds.final);
    if (settling === 'waiting') return;
    if ('operators' in settling) {
      this.#driver.send({ type: 'write', draft: settling });
      return;
    }
    this.#enter('sweeping');
    const { manifest } = settling;
    this.#sweeping.unsubscribe();
    this.#sweeping = this.#sweep(this.epoch, manifest).subscribe({
      complete: () => {
        this.#settling = 'no';
        this.#tell({ type: 'settled', n: manifest.n, finished: manifest.finished === true });
        this.#settled.next();
      },
    });
  }

  /** Removes what is of attempts up to `epoch`, which are over, and not named in the newest entry. */
  #sweep(epoch: number, standing: Manifest): Observable<never> {
    const { store, clock, on } = this.#options;
    const participants = this.#participants.values();
    const tell = (event: CheckpointEvent): void => on?.(event);
    return sweep({ store, place: this.#place, epoch, standing, participants, clock, tell });
  }

  /** What this attempt, which is over, has made since its heir looked: an entry in a slot that was free again, too. */
  #sweepOwn(last: Manifest): Observable<never> {
    const { store, prefix, on } = this.#options;
    const issued = this.#driver.state.issued?.manifest.n;
    return heirOf(last, this.#options).pipe(
      concatMap((heir) =>
        concat(
          this.#sweep(last.epoch, heir),
          issued !== undefined && isStray(issued, heir) ? store.delete([prefix + logKey(issued)]) : EMPTY,
        ),
      ),
      ignoreElements(),
      told((event) => on?.(event)),
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
