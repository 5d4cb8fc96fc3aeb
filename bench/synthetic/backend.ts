import { systemClock, type Clock, type Frozen } from '#src/flow/index.js';
import { StateBackend, type StateSpec } from '#src/state/index.js';
import { createMemoryStore, decorate, type ObjectStore } from 'millrace/stores';
import { lastValueFrom, type Subscription } from 'rxjs';

/** The keyed state of an operator with one state, without the operator, in a memory store. */
export class OneState<H> {
  readonly #spec: StateSpec<H>;
  readonly #store: ObjectStore;
  readonly #clock: Clock;
  readonly #backend: StateBackend;
  #objects = 0;
  readonly handle: H;
  /** Requests to the store so far, and bytes sent. */
  requests = 0;
  bytes = 0;

  constructor(spec: StateSpec<H>, clock: Clock = systemClock, store: ObjectStore = createMemoryStore()) {
    this.#spec = spec;
    this.#clock = clock;
    this.#store = decorate(store, ({ body }, run) => {
      this.requests++;
      this.bytes += body?.length ?? 0;
      return run;
    });
    this.#backend = new StateBackend({
      operator: 'bench',
      states: { one: spec },
      data: {
        store: this.#store,
        key: (name) => name,
        name: (operator, extension) => `${operator}-${this.#objects++}${extension}`,
      },
      clock,
      random: () => 0.5,
      report: () => undefined,
    });
    this.handle = this.#backend.handles['one'] as H;
  }

  /** Works in the turn of a key. */
  turn(key: string, work: (handle: H) => void): void {
    this.#backend.at(key);
    work(this.handle);
    this.#backend.leave();
  }

  /** Takes what has changed as stored, without storing it. */
  discard(): void {
    for (const state of this.#backend.states) state.freeze().stored();
  }

  checkpoint(): Promise<Frozen> {
    return lastValueFrom(this.#backend.freeze());
  }

  /** Begins a checkpoint. Unsubscribing cancels it. */
  begin(): Subscription {
    return this.#backend.freeze().subscribe();
  }

  /** Another one with the state of a checkpoint. */
  async restored({ snapshot = null }: Frozen): Promise<OneState<H>> {
    const other = new OneState(this.#spec, this.#clock, this.#store);
    await lastValueFrom(other.#backend.restore([snapshot]), { defaultValue: undefined });
    return other;
  }

  /** Cells in memory. */
  get size(): number {
    return this.#backend.states.reduce((sum, { size }) => sum + size, 0);
  }
}
