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

/** What an operator did that only the job sees, in order. */
export type Trace =
  | { readonly type: 'ack'; readonly checkpoint: number; readonly id: string; readonly frozen: Frozen }
  | { readonly type: 'release'; readonly credit: Credit }
  | { readonly type: 'confirm'; readonly id: string; readonly uid: string }
  | { readonly type: 'amend'; readonly id: string; readonly committable: Committable }
  | { readonly type: 'report'; readonly event: OperatorEvent };

export interface TestAttemptOptions {
  readonly clock: Clock;
  readonly random?: () => number;
  /** What each participant finds restored. */
  readonly restored?: ReadonlyMap<string, Restored>;
  readonly services?: ReadonlyMap<Service<unknown>, unknown>;
  readonly jobId?: string;
  readonly epoch?: number;
  /** Sees each entry of the trace as it happens. */
  readonly on?: (trace: Trace) => void;
}

/** An `Attempt` without a job: for tests of single operators. It records what they say and restores what it is given. */
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
    // Nothing waits here until every operator is ready.
  }

  opened(): void {
    // Nor is anything started then.
  }

  terminal(): void {
    // Every release is in the trace.
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

  /** A barrier whose acks go to the trace. */
  barrier(checkpoint: number, reason: CheckpointReason = 'periodic'): TestBarrier {
    const outcome = new ReplaySubject<'durable' | 'subsumed'>(1);
    const ack = (id: string, frozen: Frozen): void => {
      this.#note({ type: 'ack', checkpoint, id, frozen });
    };
    return {
      barrier: barrier(checkpoint, reason, ack, outcome),
      settle: (result) => {
        outcome.next(result);
        outcome.complete();
      },
    };
  }

  /** What a participant acked at a checkpoint. */
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
  /** Tells the barrier's outcome. */
  settle(result: 'durable' | 'subsumed'): void;
}
