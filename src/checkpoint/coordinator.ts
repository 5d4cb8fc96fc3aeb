import {
  concat,
  concatMap,
  EMPTY,
  ignoreElements,
  Observable,
  of,
  ReplaySubject,
  Subscription,
  take,
  type Subscriber,
} from 'rxjs';
import {
  type Barrier,
  type CheckpointReason,
  type Committable,
  type Participant,
  type Restored,
} from '../flow/index.js';
import type { CheckpointData } from '../store/services.js';
import { CheckpointDriver, type CheckpointDriverOptions } from './checkpointDriver.js';
import type { CheckpointWait, ClaimOptions, Coordinator, SavepointTarget } from './contract.js';
import { dataNames, rootsOf, type DataPlace } from './dataPlace.js';
import { CheckpointError } from './errors.js';
import type { CheckpointEvent } from './events.js';
import { reportFailures, sweep } from './leftovers.js';
import { isStray, logKey, type Manifest } from './manifest.js';
import { checkIds, idsOf, restoredOf } from './restored.js';
import { checkAck, waitOf } from './rounds.js';
import { SavepointMaker } from './savepoints/maker.js';
import { SentBarriers } from './sentBarriers.js';
import { explain, successorOf, isFenced } from './superseded.js';

/**
 * Claims the log on subscribe, and emits its coordinator, which turns barriers into manifests: it sends inputs to the
 * state machine of `checkpoints.ts` and carries out its effects. Unsubscribing before the log is claimed has the
 * effect of a crash.
 */
export function claim(options: ClaimOptions): Observable<Coordinator> {
  return new Observable((claimant) => new LogCoordinator(options, claimant).begin());
}

class LogCoordinator implements Coordinator {
  readonly errors$ = new ReplaySubject<unknown>(1);
  readonly #options: ClaimOptions;
  readonly #claimant: Subscriber<Coordinator>;
  readonly #driver: CheckpointDriver;
  readonly #participants = new Map<string, Participant>();
  readonly #barriers: SentBarriers;
  readonly #savepoints: SavepointMaker;
  readonly #settled = new ReplaySubject<void>(1);
  #sweeping = Subscription.EMPTY;
  #claimed: { readonly manifest: Manifest; readonly finished: boolean } | undefined;
  #data: CheckpointData | undefined;
  #inject: (barrier: Barrier) => void = () => undefined;
  #buffered: () => Readonly<Record<string, number>> = () => ({});
  #announced = false;
  #closed = false;

  constructor(options: ClaimOptions, claimant: Subscriber<Coordinator>) {
    this.#options = options;
    this.#claimant = claimant;
    this.#driver = new CheckpointDriver({
      ...options,
      buffered: () => this.#buffered(),
      run: (effect) => {
        this.#run(effect);
      },
      idle: () => {
        this.#announce();
      },
      broken: (error) => {
        this.#fail(error);
      },
    });
    this.#savepoints = new SavepointMaker({
      ...options,
      place: () => this.#place,
      send: (event) => {
        this.#driver.send(event);
      },
    });
    this.#barriers = new SentBarriers((checkpoint, id, frozen) => {
      if (this.#closed) return;
      checkAck(this.#driver.state, checkpoint, id);
      this.#driver.send({ type: 'ack', checkpoint, id, frozen });
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
    return this.#claimed?.finished === true;
  }

  get data(): CheckpointData {
    const { store, random } = this.#options;
    return (this.#data ??= dataNames(store, this.#place, this.epoch, random));
  }

  get prefixes(): readonly string[] {
    return rootsOf(this.#place);
  }

  get waiting(): CheckpointWait | undefined {
    return waitOf(this.#driver.state);
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
        `Two operators have the id '${id}', or one operator was subscribed twice. Give each operator its own id, which names its state. To feed several sinks from one flow, end it with RxJS's share().`,
      );
    }
    if (this.#driver.state.phase !== 'claimed') {
      throw new CheckpointError(
        'LateRegistration',
        `'${id}' registered after the job began to run: a plain asynchronous operator (delay, observeOn) before it holds Open back. Lift operators with records(…).`,
      );
    }
    this.#participants.set(id, participant);
  }

  start(inject: (barrier: Barrier) => void, buffered = this.#buffered): void {
    const { allowDropped, ignoreUnclaimed } = this.#options;
    checkIds(this.#manifest, this.#participants, allowDropped, ignoreUnclaimed);
    this.#inject = inject;
    this.#buffered = buffered;
    const kinds = [...this.#participants].map(([id, { kind }]) => [id, kind] as const);
    this.#driver.send({ type: 'start', participants: new Map(kinds) });
  }

  trigger(reason: CheckpointReason): Barrier {
    this.#driver.send({ type: 'requested', reason });
    return this.#barriers.of(this.#driver.state.newest, reason);
  }

  savepoint(target: SavepointTarget): Observable<never> {
    return this.#savepoints.make(target);
  }

  confirm(sink: string, uid: string): void {
    this.#driver.send({ type: 'confirm', sink, uid });
  }

  amend(sink: string, committable: Committable, alone = false): void {
    this.#driver.send({ type: 'amend', sink, committable, alone });
  }

  finish(reason: 'stop' | 'final'): Observable<void> {
    return new Observable((done) => {
      done.add(this.#settled.pipe(take(1)).subscribe(done));
      this.#driver.send({ type: 'requested', reason });
    });
  }

  /** Claims the log. The teardown closes this coordinator unless it was emitted: then its owner closes it. */
  begin(): () => void {
    this.#driver.send({ type: 'claim' });
    return () => {
      if (this.#claimed === undefined) this.close();
    };
  }

  leave(error: unknown): Observable<unknown> {
    this.close();
    const last = this.#driver.state.log.last?.manifest ?? this.#manifest;
    return explain(error, last, this.#options).pipe(
      concatMap((why) => concat(isFenced(why) ? this.#sweepOwn(last) : EMPTY, of(why))),
    );
  }

  close(): void {
    this.#closed = true;
    this.#driver.close();
    this.#sweeping.unsubscribe();
    this.#savepoints.close();
  }

  get #place(): DataPlace {
    return { prefix: this.#options.prefix, entropy: this.#manifest.entropy };
  }

  get #manifest(): Manifest {
    if (this.#claimed === undefined) throw new Error('The log is not claimed yet.');
    return this.#claimed.manifest;
  }

  #run(effect: Parameters<CheckpointDriverOptions['run']>[0]): void {
    switch (effect.type) {
      case 'claimed': {
        const { manifest } = effect;
        const { jobId, epoch, n, checkpoint } = manifest;
        this.#claimed = { manifest, finished: manifest.finished === true };
        this.#options.on?.({ type: 'claimed', jobId, epoch, n, checkpoint });
        return;
      }
      case 'inject':
        this.#inject(this.#barriers.of(effect.checkpoint, effect.reason));
        return;
      case 'durable':
        for (const participant of this.#participants.values()) participant.durable?.(effect.checkpoint);
        return;
      case 'outcome':
        this.#barriers.resolve(effect.checkpoint, effect.outcome);
        return;
      case 'commit':
        this.#participants.get(effect.sink)?.commit?.(effect.committables);
        return;
      case 'sweep':
        this.#sweeping.unsubscribe();
        this.#sweeping = this.#sweep(effect.epoch, effect.newest).subscribe({
          complete: () => {
            if (effect.last) this.#driver.send({ type: 'swept' });
          },
        });
        return;
      case 'settled':
        this.#settled.next();
        return;
      case 'copy-savepoint':
        this.#savepoints.copy(effect);
        return;
      case 'savepoint-failed':
        this.#savepoints.failed(effect.error);
        return;
      case 'fail':
        this.#fail(effect.error);
    }
  }

  /** Emits the coordinator once all effects of the claim are carried out, as the claimant may start synchronously. */
  #announce(): void {
    if (this.#claimed === undefined || this.#announced) return;
    this.#announced = true;
    this.#claimant.next(this);
    this.#claimant.complete();
  }

  /** Removes leftovers of attempts up to `epoch`, which are over. */
  #sweep(epoch: number, newest: Manifest): Observable<never> {
    const { store, clock, on } = this.#options;
    const participants = this.#participants.values();
    const report = (event: CheckpointEvent): void => on?.(event);
    return sweep({ store, place: this.#place, epoch, newest, participants, clock, report });
  }

  /**
   * Removes objects that this attempt, which is over, has created since its successor's sweep, including an entry in a
   * freed slot.
   */
  #sweepOwn(last: Manifest): Observable<never> {
    const { store, prefix, on } = this.#options;
    const issued = this.#driver.state.log.issued?.manifest.n;
    return successorOf(last, this.#options).pipe(
      concatMap((successor) =>
        concat(
          this.#sweep(last.epoch, successor),
          issued !== undefined && isStray(issued, successor)
            ? store.delete([prefix + logKey(issued)])
            : EMPTY,
        ),
      ),
      ignoreElements(),
      reportFailures((event) => on?.(event)),
    );
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.close();
    if (this.#claimed === undefined) this.#claimant.error(error);
    else this.errors$.next(error);
  }
}
