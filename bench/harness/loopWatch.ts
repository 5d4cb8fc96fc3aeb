import { readFileSync } from 'node:fs';

/**
 * Measures how long the main thread is busy between two turns of the event loop. Time in which other processes had
 * the processor does not count, where the kernel reports it (Linux).
 */
export class LoopWatch {
  #longest = 0;
  #last = { at: 0, waited: 0 };
  #next: NodeJS.Immediate | undefined;

  /** The longest turn while `work` runs. Milliseconds. */
  async during(work: () => unknown): Promise<number> {
    this.#longest = 0;
    this.#last = reading();
    this.#watch();
    try {
      await work();
    } finally {
      clearImmediate(this.#next);
    }
    this.#turn();
    return this.#longest;
  }

  #watch(): void {
    this.#next = setImmediate(() => {
      this.#turn();
      this.#watch();
    });
  }

  #turn(): void {
    const { at, waited } = this.#last;
    this.#last = reading();
    this.#longest = Math.max(this.#longest, this.#last.at - at - (this.#last.waited - waited));
  }
}

function reading(): { readonly at: number; readonly waited: number } {
  return { at: performance.now(), waited: waitedForProcessor() };
}

/** How long the main thread was ready to run while others had the processor. Milliseconds. */
function waitedForProcessor(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return 0; // Not Linux.
  }
}
