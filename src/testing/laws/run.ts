import { Subject, VirtualTimeScheduler, type Observable, type OperatorFunction } from 'rxjs';
import { clockOf, credit, end, isSignal, open, watermark } from '../../flow/index.js';
import type { Frozen, Json, Restored, Service, Signal } from '../../flow/index.js';
import { countedClock } from '../countedClock.js';
import type { LawElement } from './inputs.js';
import { pendingOf, sealed } from '../sealed.js';
import { TestAttempt, type TestBarrier } from '../testAttempt.js';

export type Services = ReadonlyMap<Service<unknown>, unknown>;

export interface LawOptions {
  /** What `Open` gives the operator; made anew for each run, so that runs share nothing. */
  readonly services?: () => Services;
  /** Changes a record in place after it was handled, and what came out once it was delivered, as a careless user might. */
  readonly mutate?: (record: unknown) => void;
  /**
   * For sinks: the records that readers can see now, by partition, each in its order. With it the laws compare what a sink
   * publishes with what it was given.
   */
  readonly published?: (services: Services) => readonly (readonly unknown[])[];
  /** For operators that make requests: what they do while none is answered. */
  readonly stuck?: StuckOptions;
}

export interface StuckOptions {
  /** Services that answer nothing. */
  readonly services: () => Services;
  /** Requests that were made to them and not given up. */
  readonly requests: (services: Services) => number;
  /** At most so many records may be dealt with meanwhile. */
  readonly budget: number;
}

export interface RunOptions extends LawOptions {
  readonly restored?: ReadonlyMap<string, Restored>;
  /** Those of the attempts before. */
  readonly shared?: Services;
  readonly epoch?: number;
  /** The checkpoint before the first one of this run. */
  readonly after?: number;
  /** Where the attempt dies, and does not know it: this checkpoint becomes durable, but is not committed; later ones do not. */
  readonly diesAt?: number;
  readonly unsubscribeAfter?: number;
}

/** What came of an input. */
export interface LawRun {
  readonly output: readonly unknown[];
  readonly attempt: TestAttempt;
  readonly services: Services;
  /** What an attempt finds that is restored from a checkpoint. */
  readonly manifests: ReadonlyMap<number, ReadonlyMap<string, Restored>>;
  /** What was acked, as it was then. */
  readonly acked: readonly {
    readonly checkpoint: number;
    readonly id: string;
    readonly then: string;
    readonly frozen: Frozen;
  }[];
  readonly completed: boolean;
  /** At the unsubscribe: how much had come out, how many timers were left, and how many inputs were still subscribed to. */
  readonly unsubscribed: { readonly output: number; readonly timers: number; readonly inputs: number };
}

/** What turns inputs into the output under test. */
export type Connect = (inputs: readonly Observable<never>[]) => Observable<unknown>;

/** Runs an operator over one input, as {@link runInputs} does. */
export function runInput<A>(
  operator: () => OperatorFunction<never, unknown>,
  elements: readonly LawElement<A>[],
  options: RunOptions,
): LawRun {
  return runInputs(([input]) => operator()(input as Observable<never>), [['in']], elements, options);
}

/**
 * Runs inputs, each with its sources, in virtual time. As in a job, a checkpoint is durable when every participant has acked it
 * and all before it are; then sinks commit.
 */
export function runInputs<A>(
  connect: Connect,
  sources: readonly (readonly string[])[],
  elements: readonly LawElement<A>[],
  options: RunOptions,
): LawRun {
  const { after = 0, epoch = 1, diesAt = Infinity, restored = new Map<string, Restored>() } = options;
  const scheduler = new VirtualTimeScheduler();
  const services = options.shared ?? options.services?.() ?? new Map<Service<unknown>, unknown>();
  const waiting: TestBarrier[] = [];
  const manifests = new Map<number, ReadonlyMap<string, Restored>>();
  const { clock, timers } = countedClock(clockOf(scheduler));
  const attempt = new TestAttempt({
    clock,
    restored,
    services,
    epoch,
    on: (trace) => {
      if (trace.type !== 'ack') return;
      acked.push({ ...trace, then: JSON.stringify(trace.frozen) });
      // Not within the call that acks.
      scheduler.schedule(settle);
    },
  });
  const acked: LawRun['acked'][number][] = [];
  /** All that the user has had in hand. */
  const handled: unknown[] = [];
  const mutate = (record: unknown): void => {
    if (typeof record !== 'object' || record === null) return;
    options.mutate?.(record);
    handled.push(record);
  };
  const settle = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const { checkpoint } = next.barrier;
      const acked = [...attempt.participants.keys()].every(
        (id) => attempt.acked(checkpoint, id) !== undefined,
      );
      if (!acked || checkpoint > diesAt) return;
      waiting.shift();
      manifests.set(checkpoint, sealed(attempt, checkpoint));
      if (checkpoint === diesAt) return;
      next.settle('durable');
      for (const participant of attempt.participants.values())
        participant.commit?.(pendingOf(attempt, participant.id, checkpoint, []));
    }
  };

  const inputs = sources.map((of) => new LawInputFeed(of, after));
  const output: unknown[] = [];
  let completed = false;
  let unsubscribed = { output: 0, timers: 0, inputs: 0 };
  const subscription = connect(
    inputs.map(({ elements: each }) => each as unknown as Observable<never>),
  ).subscribe({
    next: (value) => {
      output.push(isSignal(value) ? value : (JSON.parse(JSON.stringify(value)) as Json));
      if (!isSignal(value)) mutate(value);
    },
    error: (error: unknown) => {
      output.push(error);
    },
    complete: () => {
      completed = true;
    },
  });
  // As a job does: records come once the Open has made its way through.
  for (const input of inputs) input.elements.next(open(input.sources, attempt));
  scheduler.flush();
  for (const participant of attempt.participants.values())
    participant.commit?.(restored.get(participant.id)?.pending ?? []);
  scheduler.flush();

  const barriers = new Map<number, TestBarrier>();
  /** The barrier of this number, the same one for each input. */
  const barrier = (checkpoint: number): TestBarrier => {
    const known = barriers.get(checkpoint);
    if (known !== undefined) return known;
    const made = attempt.barrier(checkpoint, inputs.every(({ ended }) => ended) ? 'final' : 'periodic');
    barriers.set(checkpoint, made);
    waiting.push(made);
    return made;
  };
  const send = (element: LawElement<A>): void => {
    const input = inputs[element.input ?? 0] as LawInputFeed;
    switch (element.kind) {
      case 'record': {
        const record = structuredClone(element.value);
        input.elements.next(record);
        mutate(record);
        return;
      }
      case 'barrier':
        input.elements.next(barrier(++input.checkpoint).barrier);
        // What was frozen may not be stored yet.
        for (const record of handled) options.mutate?.(record);
        settle();
        return;
      case 'credit':
        input.elements.next(input.credit(element.source ?? (input.sources[0] as string)));
        return;
      case 'watermark':
        input.time += element.rise ?? 1;
        input.elements.next(watermark(input.time, element.idle));
        return;
      case 'end':
        input.ended = true;
        input.elements.next(end);
        return;
      case 'complete':
        input.elements.complete();
    }
  };
  let at = 0;
  elements.forEach((element, index) => {
    at += element.wait;
    scheduler.schedule(() => {
      if (options.unsubscribeAfter === index) {
        subscription.unsubscribe();
        unsubscribed = {
          output: output.length,
          timers: timers.size,
          inputs: inputs.filter(({ elements: each }) => each.observed).length,
        };
      }
      send(element);
    }, at);
  });
  scheduler.flush();
  return { output, attempt, services, manifests, acked, completed, unsubscribed };
}

/** One input on its way in. */
class LawInputFeed {
  readonly elements = new Subject<unknown>();
  readonly #credits = new Map<string, number>();
  time = 0;
  ended = false;

  constructor(
    readonly sources: readonly string[],
    public checkpoint: number,
  ) {}

  credit(source: string): Signal {
    const bytes = (this.#credits.get(source) ?? 0) + 1;
    this.#credits.set(source, bytes);
    return credit(source, bytes);
  }
}
