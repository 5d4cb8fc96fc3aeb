import type { Barrier, Committable } from '../../flow/index.js';
import { toCommittable } from '../file/committable.js';
import type { FrozenFile } from '../file/openFile.js';

/** What was begun between two barriers. */
interface Interval {
  /** Parts and journals that are not stored yet. */
  outstanding: number;
  /** Journals written. */
  readonly journals: string[];
  frozen?: {
    readonly barrier: Barrier;
    readonly open: readonly FrozenFile[];
    readonly closed: readonly FrozenFile[];
  };
}

/**
 * Acks barriers once all that was begun before them is stored: records keep flowing meanwhile. Strictly in order: a
 * later checkpoint must not become durable without what an earlier one closed.
 */
export class Acks {
  #current: Interval = { outstanding: 0, journals: [] };
  readonly #waiting: Interval[] = [];
  readonly #json = new WeakMap<FrozenFile, Committable>();

  constructor(private readonly id: string) {}

  /** Something begins that the next barrier has to wait for. Returns what to call when it is stored. */
  begin(): () => void {
    const interval = this.#current;
    interval.outstanding++;
    return () => {
      interval.outstanding--;
      this.#drain();
    };
  }

  journal(name: string): void {
    this.#current.journals.push(name);
  }

  barrier(barrier: Barrier, open: readonly FrozenFile[], closed: readonly FrozenFile[]): void {
    this.#current.frozen = { barrier, open, closed };
    this.#waiting.push(this.#current);
    this.#current = { outstanding: 0, journals: [] };
    this.#drain();
  }

  #drain(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next?.frozen === undefined || next.outstanding > 0) return;
      this.#waiting.shift();
      const { barrier, open, closed } = next.frozen;
      const committables = open.map((file) => this.#committable(file));
      const named = new Set(committables.flatMap((committable) => committable.objects ?? []));
      barrier.ack(this.id, {
        open: committables,
        closed: closed.map((file) => this.#committable(file)),
        // A journal that came and went between two barriers is named once, so that the next manifest can drop it.
        objects: next.journals.filter((name) => !named.has(name)),
      });
    }
  }

  /** A file that has not changed since an earlier barrier is the same object again. */
  #committable(file: FrozenFile): Committable {
    let json = this.#json.get(file);
    if (json === undefined) this.#json.set(file, (json = toCommittable(file.committable())));
    return json;
  }
}
