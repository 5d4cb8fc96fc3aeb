import { isObservable, type Subscriber } from 'rxjs';
import { InvalidOption } from '../config/units.js';
import { configOf } from '../config/service.js';
import { MillraceError } from '../errors.js';
import { credit, FlowSubscriber, flowOf, open, signal, watermark } from '../flow/index.js';
import type { Barrier, Credit, End, Flow, Open, Signal, Watermark } from '../flow/index.js';

type Aligned = Open | Barrier;

/**
 * Lets inputs through until each is at the same Open or Barrier; those ahead are held there, in order. At least once will do:
 * those ahead of a Barrier go on, and it comes out when every input has brought it.
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

  /** Passes the signal on once every input is at it. */
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

  /** Passes on the barriers that every input has brought and gone past. */
  pass(): void {
    for (;;) {
      const live = this.inputs.filter(({ over }) => !over);
      const first = live[0]?.passed[0];
      if (first === undefined || live.some(({ passed }) => passed.length === 0)) return;
      if (live.some(({ passed }) => passed[0] !== first)) throw misaligned();
      for (const { passed } of live) passed.shift();
      this.#out.next(first);
      const ended = live.find((input) => input.ended !== undefined)?.ended;
      if (ended !== undefined) this.end(ended);
    }
  }

  /** Passes `End` on with the last input's, behind the barriers that came before it. */
  end(end: End): void {
    if (
      this.#ended ||
      this.inputs.some(({ ended, over, passed }) => !over && (ended === undefined || passed.length > 0))
    )
      return;
    this.#ended = true;
    this.#out.next(end);
  }

  /** Passes on how far every input that brings this source has brought it. */
  credit(source: string): void {
    const bringing = this.inputs.filter(({ sources, over }) => !over && sources.includes(source));
    const bytes = Math.min(...bringing.map(({ credits }) => credits.get(source) ?? 0));
    if (bringing.length === 0 || bytes <= (this.#credits.get(source) ?? 0)) return;
    this.#credits.set(source, bytes);
    this.#out.next(credit(source, bytes));
  }

  /** The minimum over the inputs that are neither over nor idle, when it rises. It is idle when all of them are. */
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

  /** An input has completed: the others no longer wait for it. */
  complete(input: Input<T>): void {
    if (this.inputs.every(({ over }) => over)) {
      this.#out.complete();
      return;
    }
    this.align();
    this.pass();
    const ended = this.inputs.find((each) => each.ended !== undefined)?.ended;
    if (ended !== undefined) this.end(ended);
    this.advance();
    for (const source of new Set(input.sources)) this.credit(source);
  }

  #sources(): string[] {
    return this.inputs.flatMap(({ at }) => (at?.[signal] === 'open' ? at.sources : []));
  }
}

class Input<T> extends FlowSubscriber<T, T> {
  /** The signal that this input waits at. */
  at: Aligned | undefined;
  watermark: Watermark | undefined;
  sources: readonly string[] = [];
  readonly credits = new Map<string, number>();
  ended: End | undefined;
  /** The barriers it went past that others have not brought yet. */
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
    // The attempt waits for what keeps the Open of the other inputs, not for this one.
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
    this.#alignment.end(end);
    this.#alignment.advance();
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

  /** Hands on what was held, up to the next signal to align. */
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

/** The record type of a flow. */
/** The records of a flow. */
export type RecordOf<F> = F extends Flow<infer T> ? Exclude<T, Signal> : never;

/** Two inputs are at the same signal. Open differs by its sources only. */
const same = (a: Aligned | undefined, b: Aligned): boolean =>
  a === b || (a?.[signal] === 'open' && b[signal] === 'open');

const misaligned = (): MillraceError =>
  new MillraceError(
    'Misaligned',
    'The inputs of mergeFlows(…) carry different barriers: merge flows of one job only, and only flows, not values().',
  );

/**
 * Joins flows into one: records as they come, signals aligned.
 *
 * `Open` and each `Barrier` come out once, when every input has brought them; an input that is ahead is held there
 * meanwhile, so what comes out before a barrier is what every input had before it (with the checkpointing mode
 * `AT_LEAST_ONCE` it is not held, and what it brings early may come again after a restart). `End` comes out with the last input's.
 * `Watermark` is the minimum over the inputs that are neither over nor idle, `Credit` over those that bring the source. Held records are bounded by the budgets of the sources.
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
