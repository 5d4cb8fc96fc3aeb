import { defer, finalize, of, tap, type Observable, type Subscription } from 'rxjs';
import { createJob, type FlowOperator, type Job, type JobEvent } from '../../../src/index.js';
import {
  createMemoryStore,
  createStores,
  decorate,
  type ObjectStore,
  type StoreCapabilities,
  type StoreMethod,
} from '../../../src/entries/stores.js';
import { delayed, SimulatedClock } from '../../../src/testing/index.js';
import type { Source } from '../../../src/entries/operators.js';
import {
  flowOperator,
  FlowSubscriber,
  type Attempt,
  type Barrier,
  type Open,
} from '../../../src/flow/index.js';
import { flat } from '../support.js';

export const MiB = 2 ** 20;

type Set = Readonly<Record<string, unknown>>;

/** One request to the store. */
export interface Call {
  readonly method: StoreMethod;
  readonly key: string;
  /** Bytes of its body, or of its answer. */
  bytes: number;
}

/** A store in memory whose requests take 10 ms of simulated time, and jobs on it. */
export class World {
  readonly clock = new SimulatedClock(1_700_000_000_000);
  readonly inner: ObjectStore = createMemoryStore({ uri: 'memory://lake', clock: this.clock });
  readonly calls: Call[] = [];
  readonly #under = new Map<StoreMethod, number>();
  readonly #most = new Map<StoreMethod, number>();
  readonly store = decorate(delayed(this.inner, { before: () => 10, clock: this.clock }), (call, run) =>
    defer(() => {
      const { method, key, body } = call;
      const noted: Call = { method, key, bytes: body?.length ?? 0 };
      this.calls.push(noted);
      const under = (this.#under.get(method) ?? 0) + 1;
      this.#under.set(method, under);
      this.#most.set(method, Math.max(under, this.#most.get(method) ?? 0));
      let over = false;
      // Before the answer is heard: it may set off the next request.
      const end = (): void => {
        if (!over) this.#under.set(method, (this.#under.get(method) ?? 0) - 1);
        over = true;
      };
      return run.pipe(
        tap((answer) => {
          end();
          const { chunks } = answer as { readonly chunks?: readonly Uint8Array[] };
          if (chunks !== undefined) noted.bytes = chunks.reduce((sum, { length }) => sum + length, 0);
        }),
        finalize(end),
      );
    }),
  );
  readonly events: (JobEvent & { readonly at: number })[] = [];

  /** `capabilities`: those reported for the store. */
  constructor(readonly capabilities?: Partial<StoreCapabilities>) {}

  get stores() {
    const { capabilities } = this;
    return createStores({
      schemes: { memory: () => this.store, s3: () => this.store },
      clock: this.clock,
      ...(capabilities === undefined
        ? {}
        : {
            capabilities: () =>
              of({ conditionalPut: true, completeSubset: true, minimumPartSize: 5 * MiB, ...capabilities }),
          }),
    });
  }

  /** The most requests of a kind that were in flight together. */
  most(method: StoreMethod): number {
    return this.#most.get(method) ?? 0;
  }

  /** Bytes of each request of a kind, in the order they were made. */
  sizes(method: StoreMethod, prefix = ''): number[] {
    return this.calls
      .filter((call) => call.method === method && call.key.startsWith(prefix))
      .map(({ bytes }) => bytes);
  }

  fill(key: string, body: Uint8Array): void {
    this.inner.put(key, body).subscribe();
  }

  keys(prefix = ''): string[] {
    let keys: string[] = [];
    this.inner.list({ prefix }).subscribe(({ objects }) => (keys = objects.map(({ key }) => key)));
    return keys;
  }

  job(set: Set, random: () => number = () => 0.5): Job {
    const job = createJob({
      name: 'test',
      config: flat({ 'state.checkpoints.dir': 'memory://lake/cp', ...set }),
      clock: this.clock,
      random,
      stores: this.stores,
    });
    job.events$.subscribe((event) => this.events.push({ ...event, at: this.clock.now() }));
    return job;
  }

  /** Runs leaves until the job is over or `until` returns true. Returns the error it ended with, if any. */
  async run(
    job: Job,
    leaves: readonly Observable<unknown>[],
    until: () => boolean = () => false,
  ): Promise<unknown> {
    const stop = new AbortController();
    let over = false;
    let failed: unknown;
    const running = job.run(...(leaves as [Observable<unknown>]), { signal: stop.signal }).then(
      () => (over = true),
      (error: unknown) => {
        over = true;
        failed = error;
      },
    );
    for (let turn = 0; turn < 100_000 && !over && !until(); turn++) {
      for (let i = 0; i < 50 && !until() && this.clock.step(); i++);
      await Promise.resolve();
    }
    if (!over && !until()) throw new Error('The job stands still.');
    if (over) await running;
    return failed;
  }

  /** Runs an Observable in simulated time. */
  finish<T>(work: Observable<T>): readonly T[] {
    const values: T[] = [];
    let over = false;
    let failed: unknown;
    work.subscribe({
      next: (value) => values.push(value),
      error: (error: unknown) => (failed = error),
      complete: () => (over = true),
    });
    this.clock.run(() => over || failed !== undefined);
    if (failed instanceof Error) throw failed;
    if (!over) throw new Error('It does not end.');
    return values;
  }

  timesOf(type: JobEvent['type']): number[] {
    return this.events.filter((event) => event.type === type).map(({ at }) => at);
  }
}

/** A number every so many milliseconds, of so many bytes each. */
export function ticks(count: number, every: number, size = 100): Source<number> {
  return {
    description: 'ticks',
    open: ({ attempt, position, ready }) => {
      let next = typeof position === 'number' ? position : 0;
      let bytes = 0;
      let due = every === 0;
      let timer: Subscription | undefined;
      return {
        poll: (out) => {
          if (next >= count) return 'end';
          if (!due) {
            timer ??= attempt.clock.after(every, () => {
              timer = undefined;
              due = true;
              ready();
            });
            return 'wait';
          }
          due = every === 0;
          out.record(next++);
          bytes += size;
          return 'more';
        },
        position: () => next,
        get bytes() {
          return bytes;
        },
        close: () => timer?.unsubscribe(),
      };
    },
  };
}

/** Passes everything on, and takes part in checkpoints without ever storing anything. */
export const neverStores = (): FlowOperator<number, number> => flowOperator((out) => new NeverStores(out));

class NeverStores extends FlowSubscriber<number, number> {
  override onOpen(open: Open): void {
    open.attempt.register({ id: 'never', kind: 'operator' });
    this.emit(open);
  }

  override onRecord(value: number): void {
    this.emit(value);
  }

  override onBarrier(barrier: Barrier): void {
    this.emit(barrier);
  }
}

/** Takes records and never releases credit for them. */
export const hoards = (taken: (value: number) => void): FlowOperator<number, never> =>
  flowOperator((out) => new Hoards(out, taken));

class Hoards extends FlowSubscriber<number, never> {
  #attempt: Attempt | undefined;

  constructor(
    out: ConstructorParameters<typeof FlowSubscriber<number, never>>[0],
    private readonly taken: (value: number) => void,
  ) {
    super(out);
  }

  override onOpen(open: Open): void {
    this.#attempt = open.attempt;
    this.#attempt.terminal('hoards', open.sources);
    this.emit(open);
  }

  override onRecord(value: number): void {
    this.taken(value);
  }
}
