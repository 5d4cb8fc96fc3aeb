import { Subject, VirtualTimeScheduler, type OperatorFunction, type Subscription } from 'rxjs';
import { clockOf, credit, end, isSignal, open, watermark } from '../flow/index.js';
import type { Clock, Json, Restored, Service } from '../flow/index.js';
import type { LawElement } from './lawInputs.js';
import { pendingOf, sealed } from './sealed.js';
import { TestAttempt, type TestBarrier } from './testAttempt.js';

export type Services = ReadonlyMap<Service<unknown>, unknown>;

export interface LawOptions {
  /** What `Open` gives the operator; made anew for each run, so that runs share nothing. */
  readonly services?: () => Services;
  /** Changes a record in place after it was handled, as a careless user might. */
  readonly mutate?: (record: unknown) => void;
  /**
   * For sinks: the records that readers can see now, by partition, each in its order. With it the laws compare what a sink
   * publishes with what it was given.
   */
  readonly published?: (services: Services) => readonly (readonly unknown[])[];
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
  /** At the unsubscribe: how much had come out, and how many timers were left. */
  readonly unsubscribed: { readonly output: number; readonly timers: number };
}

/**
 * Runs an operator over an input in virtual time. As in a job, a checkpoint is durable when every participant has acked it and
 * all before it are; then sinks commit.
 */
export function runInput<A>(
  operator: () => OperatorFunction<never, unknown>,
  elements: readonly LawElement<A>[],
  options: RunOptions,
): LawRun {
  const { after = 0, epoch = 1, diesAt = Infinity, restored = new Map<string, Restored>() } = options;
  const scheduler = new VirtualTimeScheduler();
  const services = options.shared ?? options.services?.() ?? new Map<Service<unknown>, unknown>();
  const waiting: TestBarrier[] = [];
  const manifests = new Map<number, ReadonlyMap<string, Restored>>();
  const { clock, timers } = counted(clockOf(scheduler));
  const attempt = new TestAttempt({
    clock,
    restored,
    services,
    epoch,
    on: ({ type }) => {
      // Not within the call that acks.
      if (type === 'ack') scheduler.schedule(settle);
    },
  });
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

  const input = new Subject<unknown>();
  const output: unknown[] = [];
  let unsubscribed = { output: 0, timers: 0 };
  const subscription = (input as unknown as Subject<never>).pipe(operator()).subscribe({
    next: (value) => {
      output.push(isSignal(value) ? value : (JSON.parse(JSON.stringify(value)) as Json));
    },
    error: (error: unknown) => {
      output.push(error);
    },
  });
  // As a job does: records come once the Open has made its way through.
  input.next(open(['in'], attempt));
  scheduler.flush();
  for (const participant of attempt.participants.values())
    participant.commit?.(restored.get(participant.id)?.pending ?? []);
  scheduler.flush();

  let at = 0;
  let checkpoint = after;
  let bytes = 0;
  let time = 0;
  let ended = false;
  elements.forEach((element, index) => {
    at += element.wait;
    scheduler.schedule(() => {
      if (options.unsubscribeAfter === index) {
        subscription.unsubscribe();
        unsubscribed = { output: output.length, timers: timers.size };
      }
      switch (element.kind) {
        case 'record': {
          const record = structuredClone(element.value);
          input.next(record);
          options.mutate?.(record);
          return;
        }
        case 'barrier': {
          const barrier = attempt.barrier(++checkpoint, ended ? 'final' : 'periodic');
          waiting.push(barrier);
          input.next(barrier.barrier);
          settle();
          return;
        }
        case 'credit':
          input.next(credit('in', ++bytes));
          return;
        case 'watermark':
          input.next(watermark(++time));
          return;
        case 'end':
          ended = true;
          input.next(end);
      }
    }, at);
  });
  scheduler.flush();
  return { output, attempt, services, manifests, unsubscribed };
}

/** A clock, and those of its timers that are still to come. */
function counted(clock: Clock): { readonly clock: Clock; readonly timers: ReadonlySet<object> } {
  const timers = new Set<object>();
  const count = (start: (work: () => void) => Subscription, work: () => void): Subscription => {
    const timer = {};
    timers.add(timer);
    const running = start(() => {
      timers.delete(timer);
      work();
    });
    running.add(() => timers.delete(timer));
    return running;
  };
  return {
    timers,
    clock: {
      ...clock,
      now: () => clock.now(),
      after: (delay, work) => count((counting) => clock.after(delay, counting), work),
      yield: (work) => count((counting) => clock.yield(counting), work),
    },
  };
}
