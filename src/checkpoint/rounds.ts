import { Subscription } from 'rxjs';
import {
  isLast,
  monotonic,
  type Barrier,
  type CheckpointReason,
  type Frozen,
  type Participant,
} from '../flow/index.js';
import { Barriers, type Round } from './barriers.js';
import type { CheckpointWait, ClaimOptions } from './contract.js';
import { checkpointFailed, timeoutMessage } from './errors.js';
import type { CheckpointEvent } from './events.js';
import { Triggers } from './triggers.js';

/** What becomes of the rounds is their owner's business. */
export interface RoundsOwner {
  /** A periodic barrier is due. */
  readonly due: () => void;
  readonly acked: (id: string, frozen: Frozen, checkpoint: number) => void;
  /** All acks are there: its manifest may be written. */
  readonly ready: (round: Round) => void;
  /** Bytes of each source before the newest barrier that are still on their way. */
  readonly buffered: () => Readonly<Record<string, number>>;
  /** More checkpoints failed than are borne. */
  readonly failed: (error: unknown) => void;
  readonly tell: (event: CheckpointEvent) => void;
}

/**
 * The rounds of barriers in time: when the next one is due, which one has waited too long for its acks, and how many
 * failures in a row are borne.
 *
 * waiting → written → over, or waiting → failed → over. A written one has no timeout: its manifest was issued, and may
 * land. A `stop` or `final` one ends the periodic ones, and must not fail.
 */
export class Rounds {
  readonly #options: ClaimOptions;
  readonly #owner: RoundsOwner;
  readonly #barriers: Barriers;
  readonly #triggers: Triggers | undefined;
  readonly #timeouts = new Subscription();
  #failures = 0;
  #last: CheckpointReason | undefined;

  /** @param restored the restored checkpoint's id */
  constructor(
    options: ClaimOptions,
    participants: ReadonlyMap<string, Participant>,
    restored: number,
    owner: RoundsOwner,
  ) {
    this.#options = options;
    this.#owner = owner;
    this.#barriers = new Barriers(participants, restored);
    const { clock, intervalMs, minPauseMs = 0 } = options;
    if (intervalMs === undefined) return;
    const busy = (): boolean => this.#barriers.unfinished !== undefined;
    this.#triggers = new Triggers(clock, intervalMs, minPauseMs, busy, owner.due);
  }

  /** The id of the barrier sent last. */
  get newest(): number {
    return this.#barriers.newest;
  }

  /** Whether the last barrier was sent after the end of the input. */
  get final(): boolean {
    return this.#last === 'final';
  }

  /** What the oldest unfinished checkpoint waits for. */
  get waiting(): CheckpointWait | undefined {
    const round = this.#barriers.oldest;
    if (round === undefined) return undefined;
    const { checkpoint } = round.barrier;
    return round.completeAt === undefined
      ? { on: 'acks', checkpoint, operators: this.#barriers.waitingFor(round), since: round.startedAt }
      : { on: 'manifest', checkpoint, since: round.completeAt };
  }

  /** Periodic barriers from now on. */
  start(): void {
    this.#triggers?.start();
  }

  begin(reason: CheckpointReason): Barrier {
    if (isLast(reason)) {
      this.#last = reason;
      this.#triggers?.stop();
    }
    const round = this.#barriers.begin(reason, monotonic(this.#options.clock), (of, id, frozen) => {
      this.#acked(of, id, frozen);
    });
    const { barrier } = round;
    this.#owner.tell({ type: 'checkpoint-started', checkpoint: barrier.checkpoint, reason });
    this.#startTimeout(round);
    this.#takeReady();
    return barrier;
  }

  /** A manifest of `checkpoint` is durable, the nth of the log: that round is over, and all before it. */
  durable(checkpoint: number, n: number, bytes: number): void {
    const round = this.#barriers.find(checkpoint);
    if (round === undefined || round.state === 'over') return;
    this.#failures = 0;
    this.#triggers?.ended();
    const durationMs = Math.round(monotonic(this.#options.clock) - round.startedAt);
    this.#owner.tell({ type: 'checkpoint-durable', checkpoint, n, durationMs, bytes });
    for (const { barrier } of this.#barriers.settle(checkpoint)) {
      this.#owner.tell({ type: 'checkpoint-subsumed', checkpoint: barrier.checkpoint, by: checkpoint });
    }
  }

  /** No barrier is due any more, none times out, and no ack is heard. */
  close(): void {
    this.#triggers?.stop();
    this.#timeouts.unsubscribe();
  }

  #acked(round: Round, id: string, frozen: Frozen): void {
    if (this.#timeouts.closed) return;
    this.#barriers.acked(round, id, frozen);
    this.#owner.acked(id, frozen, round.barrier.checkpoint);
    this.#takeReady();
  }

  #takeReady(): void {
    for (const round of this.#barriers.takeReady()) {
      round.completeAt = monotonic(this.#options.clock);
      this.#owner.ready(round);
    }
  }

  #startTimeout(round: Round): void {
    if (this.#timeouts.closed) return;
    const { clock, timeoutMs = 600_000 } = this.#options;
    const timer = clock.after(timeoutMs, () => {
      this.#timedOut(round);
    });
    this.#timeouts.add(timer);
    round.outcome.subscribe(() => {
      timer.unsubscribe();
      this.#timeouts.remove(timer);
    });
  }

  #timedOut(round: Round): void {
    if (round.state !== 'waiting') return;
    round.state = 'failed';
    this.#triggers?.ended();
    const { checkpoint, reason } = round.barrier;
    const timedOut = {
      checkpoint,
      waitingFor: this.#barriers.waitingFor(round),
      durationMs: Math.round(monotonic(this.#options.clock) - round.startedAt),
      buffered: this.#owner.buffered(),
    };
    this.#owner.tell({ type: 'checkpoint-failed', ...timedOut, message: timeoutMessage(timedOut) });
    const { tolerableFailures = 0 } = this.#options;
    if (isLast(reason) || ++this.#failures > tolerableFailures)
      this.#owner.failed(checkpointFailed(timedOut));
  }
}
