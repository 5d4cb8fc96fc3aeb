import { ReplaySubject } from 'rxjs';
import { MillraceError } from '../errors.js';
import {
  barrier,
  type Attempt,
  type Barrier,
  type CheckpointReason,
  type Clock,
  type Committable,
  type Credit,
  type Frozen,
  type OperatorEvent,
  type Participant,
  type Restored,
  type Service,
} from '../flow/index.js';

/** A call that an operator made to the attempt or a barrier. */
export type Trace =
  | { readonly type: 'ack'; readonly checkpoint: number; readonly id: string; readonly frozen: Frozen }
  | { readonly type: 'release'; readonly credit: Credit }
  | { readonly type: 'confirm'; readonly id: string; readonly uid: string }
  | { readonly type: 'amend'; readonly id: string; readonly committable: Committable }
  | { readonly type: 'report'; readonly event: OperatorEvent };

export interface TestAttemptOptions {
  readonly clock: Clock;
  readonly random?: () => number;
  /** The restored state of each participant. */
  readonly restored?: ReadonlyMap<string, Restored>;
  readonly services?: ReadonlyMap<Service<unknown>, unknown>;
  readonly jobId?: string;
  readonly epoch?: number;
  /** Called with each entry of the trace. */
  readonly on?: (trace: Trace) => void;
}

/** An `Attempt` without a job, for tests of single operators. It records their calls. */
export class TestAttempt implements Attempt {
  readonly job = 'test';
  readonly jobId: string;
  readonly epoch: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly participants = new Map<string, Participant>();
  readonly trace: Trace[] = [];
  readonly #options: TestAttemptOptions;

  constructor(options: TestAttemptOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.random = options.random ?? (() => 0.5);
    this.jobId = options.jobId ?? 'testjob00000';
    this.epoch = options.epoch ?? 1;
  }

  use<S>(service: Service<S>): S {
    const named = [...(this.#options.services ?? [])].find(([{ name }]) => name === service.name);
    const found = named?.[1] ?? service.fallback?.();
    if (found === undefined)
      throw new MillraceError('UnknownService', `The test provides no '${service.name}'.`);
    return found as S;
  }

  register(participant: Participant): void {
    if (this.participants.has(participant.id)) {
      throw new MillraceError('DuplicateId', `Two operators are called '${participant.id}'.`);
    }
    this.participants.set(participant.id, participant);
  }

  restored(id: string): Restored | undefined {
    return this.#options.restored?.get(id);
  }

  opening(): void {
    // The test decides when records follow.
  }

  opened(): void {
    // Nothing waits for it.
  }

  running(work: () => void): void {
    work();
  }

  terminal(): void {
    // Releases are in the trace.
  }

  release(_: string | object, credit: Credit): void {
    this.#note({ type: 'release', credit });
  }

  confirm(id: string, uid: string): void {
    this.#note({ type: 'confirm', id, uid });
  }

  amend(id: string, committable: Committable): void {
    this.#note({ type: 'amend', id, committable });
  }

  report(event: OperatorEvent): void {
    this.#note({ type: 'report', event });
  }

  /** A barrier whose acks are in the trace. */
  barrier(checkpoint: number, reason: CheckpointReason = 'periodic'): TestBarrier {
    const outcome = new ReplaySubject<'durable' | 'subsumed'>(1);
    const ack = (id: string, frozen: Frozen): void => {
      this.#note({ type: 'ack', checkpoint, id, frozen });
    };
    return {
      barrier: barrier(checkpoint, reason, ack, outcome),
      resolve: (result) => {
        outcome.next(result);
        outcome.complete();
      },
    };
  }

  /** The ack of a participant for a checkpoint. */
  acked(checkpoint: number, id: string): Frozen | undefined {
    for (const each of this.trace) {
      if (each.type === 'ack' && each.checkpoint === checkpoint && each.id === id) return each.frozen;
    }
    return undefined;
  }

  #note(trace: Trace): void {
    this.trace.push(trace);
    this.#options.on?.(trace);
  }
}

export interface TestBarrier {
  readonly barrier: Barrier;
  /** Sets the barrier's outcome. */
  resolve(result: 'durable' | 'subsumed'): void;
}
