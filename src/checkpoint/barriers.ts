import { ReplaySubject } from 'rxjs';
import {
  barrier,
  type Barrier,
  type CheckpointReason,
  type Frozen,
  type Participant,
} from '../flow/index.js';
import { CheckpointError } from './errors.js';
import type { OperatorState } from './manifest.js';

/** One barrier on its way through the job. */
export interface Round {
  readonly barrier: Barrier;
  readonly startedAt: number;
  /** All acks are there since. */
  completeAt?: number;
  readonly missing: Set<string>;
  readonly operators: Map<string, OperatorState>;
  readonly outcome: ReplaySubject<'durable' | 'subsumed'>;
  state: 'waiting' | 'written' | 'failed' | 'over';
}

/**
 * Collects the acks of all barriers that are under way.
 *
 * A checkpoint is complete once everyone has acked it and every sink has acked all barriers before it: what a sink closed
 * for an earlier barrier, a failed one too, belongs into this manifest, or its records would be in none.
 */
export class Barriers {
  readonly #participants: ReadonlyMap<string, Participant>;
  readonly #rounds: Round[] = [];
  #newest: number;
  #written = 0;

  constructor(participants: ReadonlyMap<string, Participant>, restored: number) {
    this.#participants = participants;
    this.#newest = restored;
  }

  /** The id of the barrier sent last. */
  get newest(): number {
    return this.#newest;
  }

  /** The checkpoint that is neither durable nor failed, if there is one. */
  get unfinished(): Round | undefined {
    return this.#rounds.findLast(({ state }) => state === 'waiting' || state === 'written');
  }

  begin(
    reason: CheckpointReason,
    now: number,
    ack: (round: Round, id: string, frozen: Frozen) => void,
  ): Round {
    const outcome = new ReplaySubject<'durable' | 'subsumed'>(1);
    const round: Round = {
      barrier: barrier(
        ++this.#newest,
        reason,
        (id, frozen) => {
          ack(round, id, frozen);
        },
        outcome.asObservable(),
      ),
      startedAt: now,
      missing: new Set(this.#participants.keys()),
      operators: new Map(),
      outcome,
      state: 'waiting',
    };
    this.#rounds.push(round);
    return round;
  }

  /** Throws `UnknownParticipant` for an id that is not registered, or that has acked this barrier before. */
  acked(round: Round, id: string, frozen: Frozen): void {
    const participant = this.#participants.get(id);
    const { checkpoint } = round.barrier;
    if (participant === undefined || !round.missing.delete(id)) {
      throw new CheckpointError(
        'UnknownParticipant',
        participant === undefined
          ? `'${id}' acked checkpoint ${checkpoint} but never registered. Call attempt.register(…) on Open.`
          : `'${id}' acked checkpoint ${checkpoint} twice. Ack each barrier exactly once.`,
      );
    }
    round.operators.set(id, {
      kind: participant.kind,
      ...(frozen.snapshot === undefined ? {} : { snapshot: frozen.snapshot }),
      open: frozen.open ?? [],
      objects: frozen.objects ?? [],
    });
  }

  /** The oldest checkpoint that is neither durable nor failed, if there is one. */
  get oldest(): Round | undefined {
    return this.#rounds.find(({ state }) => state === 'waiting' || state === 'written');
  }

  /** Whose acks a round lacks: those of its own barrier, and of sinks those of earlier ones, too. */
  waitingFor(round: Round): string[] {
    const missing = new Set(round.missing);
    for (const earlier of this.#rounds.slice(0, this.#rounds.indexOf(round)))
      for (const id of earlier.missing) if (this.#participants.get(id)?.kind === 'sink') missing.add(id);
    return [...missing];
  }

  /** Takes the rounds that are ready to be written, in order. One that a newer one has overtaken is not. */
  takeReady(): Round[] {
    const ready: Round[] = [];
    let sinksComplete = true;
    for (const round of this.#rounds) {
      const complete = round.missing.size === 0 && sinksComplete;
      const { checkpoint } = round.barrier;
      if (complete && round.state === 'waiting' && checkpoint > this.#written) {
        round.state = 'written';
        this.#written = checkpoint;
        ready.push(round);
      }
      if ([...round.missing].some((id) => this.#participants.get(id)?.kind === 'sink')) sinksComplete = false;
    }
    return ready;
  }

  find(checkpoint: number): Round | undefined {
    return this.#rounds.find(({ barrier }) => barrier.checkpoint === checkpoint);
  }

  /** `checkpoint` is durable: it and all before it are over. Returns those that it subsumed. */
  settle(checkpoint: number): Round[] {
    const subsumed: Round[] = [];
    for (const round of this.#rounds) {
      if (round.barrier.checkpoint > checkpoint || round.state === 'over') continue;
      if (round.barrier.checkpoint < checkpoint && round.state !== 'failed') subsumed.push(round);
      round.state = 'over';
      round.outcome.next(round.barrier.checkpoint === checkpoint ? 'durable' : 'subsumed');
      round.outcome.complete();
    }
    const kept = this.#rounds.filter(({ state, missing }) => state !== 'over' || missing.size > 0);
    this.#rounds.splice(0, this.#rounds.length, ...kept);
    return subsumed;
  }
}
