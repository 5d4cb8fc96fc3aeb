import { isObservable, type Subscriber } from 'rxjs';
import { InvalidOption } from '../config/units.js';
import { configOf } from '../config/service.js';
import { MillraceError } from '../errors.js';
import { credit, FlowSubscriber, flowOf, open, signal, watermark } from '../flow/index.js';
import type { Barrier, Credit, End, Flow, Open, Signal, Watermark } from '../flow/index.js';

type Aligned = Open | Barrier;

/**
 * Aligns the inputs. Each input passes until it reaches an `Open` or `Barrier`; what follows is held, in order. The
 * signal is emitted once every input has reached it. At least once: inputs continue past a barrier, which is emitted
 * once every input has passed it.
 */
class Alignment<T> {
  exactlyOnce = true;
  readonly inputs: Input<T>[] = [];
  readonly #out: Subscriber<T | Signal>;
  #watermark = watermark(-Infinity);
  #ended = false;
  readonly #credits = new Map<string, number>();

  constructor(out: Subscriber<T | Signal>) {
    this.#out = out;
  }

  /** Emits the signal that the inputs wait at, once every input waits. */
  align(): void {
    for (;;) {
      const waiting = this.inputs.filter(({ over }) => !over).map(({ at }) => at);
      const first = waiting[0];
      if (first === undefined || waiting.includes(undefined)) return;
      if (waiting.some((each) => !same(each, first))) throw misaligned();
      this.#out.next(first[signal] === 'open' ? open(this.#sources(), first.attempt) : first);
      for (const input of this.inputs) input.at = undefined;
      for (const input of this.inputs) input.drain();
    }
  }

  /** At least once: emits the barriers that every input has passed. */
  pass(): void {
    for (;;) {
      const live = this.inputs.filter(({ over }) => !over);
      const first = live[0]?.passed[0];
      if (first === undefined || live.some(({ passed }) => passed.length === 0)) return;
      if (live.some(({ passed }) => passed[0] !== first)) throw misaligned();
      for (const { passed } of live) passed.shift();
      this.#out.next(first);
      this.end();
    }
  }

  /** Emits `End` when the last input has ended, after the barriers before it: again only if all have it again. */
  end(): void {
    if (
      this.#ended ||
      this.inputs.some(({ ended, over, passed }) => !over && (ended === undefined || passed.length > 0))
    )
      return;
    const ends = this.inputs.flatMap(({ ended }) => ended ?? []);
    const end = ends.find(({ again }) => !again) ?? ends[0];
    if (end === undefined) return;
    this.#ended = true;
    this.#out.next(end);
  }

  /** Emits the minimum credit of a source over the inputs that carry it. */
  credit(source: string): void {
    const bringing = this.inputs.filter(({ sources, over }) => !over && sources.includes(source));
    const bytes = Math.min(...bringing.map(({ credits }) => credits.get(source) ?? 0));
    if (bringing.length === 0 || bytes <= (this.#credits.get(source) ?? 0)) return;
    this.#credits.set(source, bytes);
    this.#out.next(credit(source, bytes));
  }

  /** Emits the minimum watermark over the active inputs when it rises. It is idle if all inputs are. */
  advance(): void {
    const live = this.inputs.filter(({ ended, over }) => ended === undefined && !over);
    if (live.length === 0) return;
    const active = live.filter((input) => input.watermark?.idle !== true);
    const idle = active.length === 0;
    const times = (idle ? live : active).map((input) => input.watermark?.time ?? -Infinity);
    const before = this.#watermark;
    const time = Math.max(before.time, idle ? Math.max(...times) : Math.min(...times));
    if (time === before.time && idle === before.idle) return;
    this.#watermark = watermark(time, idle);
    this.#out.next(this.#watermark);
  }

  /** An input has completed: the others do not wait for it any more. */
  complete(input: Input<T>): void {
    if (this.inputs.every(({ over }) => over)) {
      this.#out.complete();
      return;
    }
    this.align();
    this.pass();
    this.end();
    this.advance();
    for (const source of new Set(input.sources)) this.credit(source);
  }

  #sources(): string[] {
    return this.inputs.flatMap(({ at }) => (at?.[signal] === 'open' ? at.sources : []));
  }
}

class Input<T> extends FlowSubscriber<T, T> {
  /** The signal that this input waits at; everything after it is held. */
  at: Aligned | undefined;
  watermark: Watermark | undefined;
  sources: readonly string[] = [];
  readonly credits = new Map<string, number>();
  ended: End | undefined;
  /** At least once: barriers passed by this input but not by all. */
  readonly passed: Barrier[] = [];
  /** It has completed: it counts as aligned. */
  over = false;
  readonly #alignment: Alignment<T>;
  #held: (() => void)[] = [];

  constructor(out: Subscriber<T | Signal>, alignment: Alignment<T>) {
    super(out);
    this.#alignment = alignment;
  }

  protected override get label(): string {
    return 'mergeFlows(…)';
  }

  override onRecord(value: T): void {
    if (this.at === undefined) this.emit(value);
    else this.#held.push(() => this.onRecord(value));
  }

  override onOpen(open: Open): void {
    this.sources = open.sources;
    this.#alignment.exactlyOnce = configOf(open.attempt).checkpoints.mode === 'EXACTLY_ONCE';
    this.#align(open);
    // The attempt waits for the operators that hold the Open of the other inputs, not for this one.
    open.attempt.opened(this);
  }

  override onBarrier(barrier: Barrier): void {
    if (this.#alignment.exactlyOnce) {
      this.#align(barrier);
    } else if (this.at !== undefined) {
      this.#held.push(() => this.onBarrier(barrier));
    } else {
      this.passed.push(barrier);
      this.#alignment.pass();
    }
  }

  override onEnd(end: End): void {
    if (this.at !== undefined) {
      this.#held.push(() => this.onEnd(end));
      return;
    }
    this.ended = end;
    this.#alignment.end();
    this.#alignment.advance();
  }

  override onEndAgain(end: End): void {
    this.onEnd(end);
  }

  override onCredit(credit: Credit): void {
    if (this.at !== undefined) {
      this.#held.push(() => this.onCredit(credit));
      return;
    }
    this.credits.set(credit.source, credit.bytes);
    this.#alignment.credit(credit.source);
  }

  override onWatermark(each: Watermark): void {
    if (this.at !== undefined) {
      this.#held.push(() => this.onWatermark(each));
      return;
    }
    this.watermark = each;
    this.#alignment.advance();
  }

  /** Handles what was held, up to the next signal to align. */
  drain(): void {
    const held = this.#held;
    this.#held = [];
    for (const element of held) element();
  }

  override onTeardown(): void {
    this.#held = [];
  }

  override onComplete(): void {
    if (this.at !== undefined) {
      this.#held.push(() => this.onComplete());
      return;
    }
    this.over = true;
    this.#alignment.complete(this);
    this.unsubscribe();
  }

  #align(signal: Aligned): void {
    if (this.at !== undefined) {
      this.#held.push(() => this.#align(signal));
      return;
    }
    this.at = signal;
    this.#alignment.align();
  }
}

/** The records of a flow. */
export type RecordOf<F> = F extends Flow<infer T> ? Exclude<T, Signal> : never;

/** Whether two inputs wait at the same signal. `Open` signals differ only in their sources. */
const same = (a: Aligned | undefined, b: Aligned): boolean =>
  a === b || (a?.[signal] === 'open' && b[signal] === 'open');

const misaligned = (): MillraceError =>
  new MillraceError(
    'Misaligned',
    'The inputs of mergeFlows(…) carry different barriers: merge flows of one job only, and only flows, not values().',
  );

/**
 * Merges flows into one: records as they arrive, signals aligned.
 *
 * `Open` and each `Barrier` are emitted once, when they have arrived at every input. An input that is ahead is held
 * until then, so the output before a barrier is exactly what all inputs had before it. (In the checkpointing mode
 * `AT_LEAST_ONCE` it is not held, and its early records may come again after a restart.) `End` is emitted when the
 * last input ends. `Watermark` is the minimum over the inputs that are neither over nor idle, `Credit` the minimum
 * over those that carry the source. Held records are bounded by the budgets of the sources.
 *
 * ```
 * a:    O-a-1-b---E--2|
 * b:    O-----1-c-E--2|
 *       mergeFlows(a, b)
 * out:  O-a---1bc-E--2|
 * ```
 *
 * @example
 * ```ts
 * const web = job.source('web', files('s3://lake/web/', { format: ndjson<Visit>() }));
 * const app = job.source('app', files('s3://lake/app/', { format: ndjson<Visit>() }));
 * const all = mergeFlows(web, app);
 * ```
 *
 * Errors: `Misaligned` when the inputs belong to different jobs.
 */
export function mergeFlows<F extends readonly Flow<unknown>[]>(...flows: F): Flow<RecordOf<F[number]>> {
  for (const flow of flows)
    if (!isObservable(flow))
      throw new InvalidOption('mergeFlows(…)', flow, 'flows, each as a separate argument');
  return flowOf((out) => {
    const alignment = new Alignment<RecordOf<F[number]>>(out);
    alignment.inputs.push(...flows.map(() => new Input(out, alignment)));
    flows.forEach((flow, index) => (flow as Flow<RecordOf<F[number]>>).subscribe(alignment.inputs[index]));
  });
}
