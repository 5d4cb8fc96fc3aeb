import { Subject, VirtualTimeScheduler, type Observable, type OperatorFunction } from 'rxjs';
import { clockOf, credit, end, isSignal, open, watermark } from '../../flow/index.js';
import type { Clock, Frozen, Json, Restored, Service, Signal } from '../../flow/index.js';
import { countedClock } from '../countedClock.js';
import type { LawElement } from './inputs.js';
import { pendingOf, sealed } from '../sealed.js';
import { TestAttempt, type TestBarrier } from '../testAttempt.js';

export type Services = ReadonlyMap<Service<unknown>, unknown>;

export interface LawOptions {
  /** The services of the attempt; created for each run, so that runs share nothing. */
  readonly services?: () => Services;
  /** Changes a record in place after it was handled, or output after it was delivered, as a careless user might. */
  readonly mutate?: (record: unknown) => void;
  /**
   * For sinks: the currently published records by partition, each in order. The laws compare them with the input.
   */
  readonly published?: (services: Services) => readonly (readonly unknown[])[];
  /** The operator emits watermarks of its own: they are not compared with those of the input. Default `false`. */
  readonly replacesWatermarks?: boolean;
  /** Changes the clock of the attempt. Default: virtual time, in which work takes none. */
  readonly clock?: (clock: Clock) => Clock;
  /** For operators that make requests: checks them while none is answered. */
  readonly stuck?: StuckOptions;
}

export interface StuckOptions {
  /** Services that never answer. */
  readonly services: () => Services;
  /** The number of open requests to them. */
  readonly requests: (services: Services) => number;
  /** The most records for which credit may be released in that time. */
  readonly budget: number;
}

export interface RunOptions extends LawOptions {
  readonly restored?: ReadonlyMap<string, Restored>;
  /** The services of previous attempts. */
  readonly shared?: Services;
  readonly epoch?: number;
  /** The checkpoint before the first one of this run. */
  readonly after?: number;
  /** The event time that the inputs continue from: watermarks never regress, over restores neither. Default 0. */
  readonly time?: number;
  /** Simulates a zombie: this checkpoint becomes durable, but is not committed; later ones never become durable. */
  readonly diesAt?: number;
  readonly unsubscribeAfter?: number;
}

/** The result of a run. */
export interface LawRun {
  readonly output: readonly unknown[];
  readonly attempt: TestAttempt;
  readonly services: Services;
  /** What an attempt restored from a checkpoint finds, by checkpoint. */
  readonly manifests: ReadonlyMap<number, ReadonlyMap<string, Restored>>;
  /** Acks, each with its JSON at the time (`then`). */
  readonly acked: readonly {
    readonly checkpoint: number;
    readonly id: string;
    readonly then: string;
    readonly frozen: Frozen;
  }[];
  readonly completed: boolean;
  /** After the unsubscribe: the number of elements emitted, of pending timers, and of subscribed inputs. */
  readonly unsubscribed: { readonly output: number; readonly timers: number; readonly inputs: number };
}

/** Connects inputs to the operator under test. */
export type Connect = (inputs: readonly Observable<never>[]) => Observable<unknown>;

/** The source of the input of one operator. */
export const lawSource = 'in';

/** Runs an operator over one input, as {@link runInputs} does. */
export function runInput<A>(
  operator: () => OperatorFunction<never, unknown>,
  elements: readonly LawElement<A>[],
  options: RunOptions,
): LawRun {
  return runInputs(([input]) => operator()(input as Observable<never>), [[lawSource]], elements, options);
}

/**
 * Runs inputs, each with its sources, in virtual time. As in a job, a checkpoint is durable when every participant
 * has acked it and all earlier ones are durable; then sinks commit.
 */
export function runInputs<A>(
  connect: Connect,
  sources: readonly (readonly string[])[],
  elements: readonly LawElement<A>[],
  options: RunOptions,
): LawRun {
  const {
    after = 0,
    time = 0,
    epoch = 1,
    diesAt = Infinity,
    restored = new Map<string, Restored>(),
  } = options;
  const scheduler = new VirtualTimeScheduler();
  const services = options.shared ?? options.services?.() ?? new Map<Service<unknown>, unknown>();
  const waiting: TestBarrier[] = [];
  const manifests = new Map<number, ReadonlyMap<string, Restored>>();
  const { clock, timers } = countedClock(options.clock?.(clockOf(scheduler)) ?? clockOf(scheduler));
  const attempt = new TestAttempt({
    clock,
    restored,
    services,
    epoch,
    on: (trace) => {
      if (trace.type !== 'ack') return;
      acked.push({ ...trace, then: JSON.stringify(trace.frozen) });
      // Not synchronously within the ack.
      scheduler.schedule(completeCheckpoints);
    },
  });
  const acked: LawRun['acked'][number][] = [];
  /** Everything that the user has a reference to. */
  const handled: unknown[] = [];
  const mutate = (record: unknown): void => {
    if (typeof record !== 'object' || record === null) return;
    options.mutate?.(record);
    handled.push(record);
  };
  const completeCheckpoints = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const { checkpoint } = next.barrier;
      const acked = [...attempt.participants.keys()].every(
        (id) => attempt.acked(checkpoint, id) !== undefined,
      );
      if (!acked || checkpoint > diesAt) return;
      waiting.shift();
      manifests.set(checkpoint, sealed(attempt, checkpoint));
      if (checkpoint === diesAt) return;
      next.resolve('durable');
      for (const participant of attempt.participants.values())
        participant.commit?.(pendingOf(attempt, participant.id, checkpoint, []));
    }
  };

  const inputs = sources.map((of) => new LawInputFeed(of, after, time));
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
  // As in a job, records follow once Open has passed all operators.
  for (const input of inputs) input.elements.next(open(input.sources, attempt));
  scheduler.flush();
  for (const participant of attempt.participants.values())
    participant.commit?.(restored.get(participant.id)?.pending ?? []);
  scheduler.flush();

  const barriers = new Map<number, TestBarrier>();
  /** The barrier of a checkpoint, the same for each input. */
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
        completeCheckpoints();
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

/** One input, and its state. */
class LawInputFeed {
  readonly elements = new Subject<unknown>();
  readonly #credits = new Map<string, number>();
  ended = false;

  constructor(
    readonly sources: readonly string[],
    public checkpoint: number,
    public time: number,
  ) {}

  credit(source: string): Signal {
    const bytes = (this.#credits.get(source) ?? 0) + 1;
    this.#credits.set(source, bytes);
    return credit(source, bytes);
  }
}
