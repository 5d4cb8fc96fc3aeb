import { ReplaySubject } from 'rxjs';
import { barrier, type Barrier, type CheckpointReason, type Frozen } from '../flow/index.js';

interface SentBarrier {
  readonly barrier: Barrier;
  readonly outcome: ReplaySubject<'durable' | 'subsumed'>;
}

/** The barriers whose outcome is not known yet. */
export class SentBarriers {
  readonly #sent = new Map<number, SentBarrier>();
  readonly #acked: (checkpoint: number, id: string, frozen: Frozen) => void;

  constructor(acked: (checkpoint: number, id: string, frozen: Frozen) => void) {
    this.#acked = acked;
  }

  /** The barrier of a checkpoint: the same object at each call. */
  of(checkpoint: number, reason: CheckpointReason): Barrier {
    let sent = this.#sent.get(checkpoint);
    if (sent === undefined) {
      const outcome = new ReplaySubject<'durable' | 'subsumed'>(1);
      const ack = (id: string, frozen: Frozen): void => {
        this.#acked(checkpoint, id, frozen);
      };
      sent = { barrier: barrier(checkpoint, reason, ack, outcome.asObservable()), outcome };
      this.#sent.set(checkpoint, sent);
    }
    return sent.barrier;
  }

  resolve(checkpoint: number, result: 'durable' | 'subsumed'): void {
    const sent = this.#sent.get(checkpoint);
    this.#sent.delete(checkpoint);
    sent?.outcome.next(result);
    sent?.outcome.complete();
  }
}
