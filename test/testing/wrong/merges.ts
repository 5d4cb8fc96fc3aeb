/** A merge as a user might write it, and faulty variants, for testing the law of merging. */
import { merge, type Observable, type Subscriber } from 'rxjs';
import {
  type Barrier,
  credit,
  type Credit,
  type End,
  type Flow,
  flowOf,
  FlowSubscriber,
  open,
  type Open,
  type Signal,
  watermark,
  type Watermark,
} from '../../../src/flow/index.js';

type Record = object;
type Merge = (left: Observable<never>, right: Observable<never>) => Observable<unknown>;

interface Faults {
  /** The minimum watermark of the inputs that count. */
  readonly least?: (times: readonly number[]) => number;
  readonly lets?:
    | 'what it has held through the next barrier'
    | 'everything through a barrier'
    | 'end through with the first input';
  readonly bindsIdle?: boolean;
  readonly bindsEnded?: boolean;
  readonly staysIdle?: boolean;
  readonly credits?: 'of the left input' | 'of the input that is ahead' | 'of none';
  /** Waits for an input that has completed. */
  readonly waits?: boolean;
  readonly opens?: 'with the sources of one input';
  /** Of an input that is ahead of a barrier. */
  readonly drops?: boolean;
  readonly reverses?: boolean;
  readonly regresses?: boolean;
  /** Continues with the right input alone. */
  readonly leavesRight?: boolean;
}

class Joint {
  readonly inputs: Side[] = [];
  #time = -Infinity;
  #idle = false;
  readonly #credits = new Map<string, number>();

  constructor(
    readonly faults: Faults,
    readonly out: Subscriber<Record | Signal>,
  ) {}

  get waited(): readonly Side[] {
    return this.inputs.filter(({ over }) => !over || this.faults.waits === true);
  }

  arrive(): void {
    const { waited, faults } = this;
    const first = waited[0]?.at;
    if (first === undefined || waited.some(({ at }) => at === undefined)) return;
    const sources = waited.flatMap(({ sources: each }) => each);
    this.out.next(
      'attempt' in first
        ? open(faults.opens === undefined ? sources : (waited[0]?.sources ?? []), first.attempt)
        : first,
    );
    for (const side of waited) side.at = undefined;
    for (const side of waited) side.resume();
    this.arrive();
  }

  advance(): void {
    const { faults } = this;
    const live = this.inputs.filter(({ ended }) => !ended || faults.bindsEnded === true);
    if (live.length === 0) return;
    const active = live.filter(({ event }) => !event.idle || faults.bindsIdle === true);
    const idle = active.length === 0;
    const least = faults.least ?? ((times) => Math.min(...times));
    const now = idle
      ? Math.max(...live.map(({ event }) => event.time))
      : least(active.map(({ event }) => event.time));
    const time = faults.regresses === true ? now : Math.max(this.#time, now);
    if (time === this.#time && (idle === this.#idle || faults.staysIdle === true)) return;
    this.#time = time;
    this.#idle = idle;
    this.out.next(watermark(time, idle));
  }

  credit(source: string, from: Side): void {
    const { credits } = this.faults;
    if (credits === 'of none') return;
    if (credits === 'of the left input' && from !== this.inputs[0]) return;
    const bringing = this.inputs.filter(({ over, sources }) => !over && sources.includes(source));
    const [all, one] = [bringing, [from]].map((sides) =>
      Math.min(...sides.map((side) => side.credits.get(source) ?? 0)),
    ) as [number, number];
    const bytes = credits === undefined ? all : one;
    if (bytes === Infinity || bytes <= (this.#credits.get(source) ?? 0)) return;
    this.#credits.set(source, bytes);
    this.out.next(credit(source, bytes));
  }

  end(end: End): void {
    const first = this.faults.lets === 'end through with the first input';
    const ended = this.inputs.filter((side) => side.ended).length;
    if (first ? ended === 1 : ended === this.inputs.length) this.out.next(end);
  }
}

class Side extends FlowSubscriber<Record, Record> {
  at: Open | Barrier | undefined;
  event: Pick<Watermark, 'time' | 'idle'> = { time: -Infinity, idle: false };
  sources: readonly string[] = [];
  readonly credits = new Map<string, number>();
  ended = false;
  over = false;
  #held: (() => void)[] = [];

  constructor(readonly joint: Joint) {
    super(joint.out);
  }

  #inTurn(work: () => void): void {
    const { faults } = this.joint;
    const held =
      this.at !== undefined && (faults.lets !== 'everything through a barrier' || 'attempt' in this.at);
    if (!held) work();
    else if (faults.drops !== true)
      this.#held.push(() => {
        if (faults.lets === 'what it has held through the next barrier') work();
        else this.#inTurn(work);
      });
  }

  override onRecord(value: Record): void {
    this.#inTurn(() => {
      this.emit(value);
    });
  }

  override onOpen(signal: Open): void {
    this.sources = signal.sources;
    this.onAligned(signal);
    signal.attempt.opened(this);
  }

  override onBarrier(signal: Barrier): void {
    this.onAligned(signal);
  }

  onAligned(signal: Open | Barrier): void {
    if (this.at !== undefined) {
      this.#held.push(() => {
        this.onAligned(signal);
      });
      return;
    }
    this.at = signal;
    this.joint.arrive();
  }

  override onWatermark(signal: Watermark): void {
    this.#inTurn(() => {
      this.event = signal;
      this.joint.advance();
    });
  }

  override onCredit(signal: Credit): void {
    this.#inTurn(() => {
      this.credits.set(signal.source, signal.bytes);
      this.joint.credit(signal.source, this);
    });
  }

  override onEnd(signal: End): void {
    this.#inTurn(() => {
      this.ended = true;
      this.joint.end(signal);
      this.joint.advance();
    });
  }

  override onComplete(): void {
    this.#inTurn(() => {
      this.over = true;
      if (this.joint.inputs.every(({ over }) => over)) this.joint.out.complete();
      this.joint.arrive();
      for (const source of this.sources)
        this.joint.credit(source, this.joint.inputs.find((each) => each !== this) as Side);
    });
  }

  resume(): void {
    const held = this.#held;
    this.#held = [];
    if (this.joint.faults.reverses === true) held.reverse();
    for (const work of held) work();
  }
}

function userMerge(faults: Faults = {}): Merge {
  return (left, right) =>
    flowOf<Record>((out) => {
      const joint = new Joint(faults, out);
      joint.inputs.push(new Side(joint), new Side(joint));
      (left as Flow<Record>).subscribe(joint.inputs[0]);
      const subscription = (right as Flow<Record>).subscribe(joint.inputs[1]);
      if (faults.leavesRight === true) out.remove(joint.inputs[1] as Side);
      else out.add(subscription);
    });
}

export const rightMerge = userMerge();

/** With the law's message for each. */
export const wrongMerges: Readonly<globalThis.Record<string, readonly [string, Merge]>> = {
  'is a plain merge': ['expected the signals|Two flows were joined', (left, right) => merge(left, right)],
  'opens with the sources of one input': [
    'open has the sources',
    userMerge({ opens: 'with the sources of one input' }),
  ],
  'forwards the greatest watermark': ['overtook record', userMerge({ least: (times) => Math.max(...times) })],
  'lets records overtake a barrier': ['was overtaken', userMerge({ lets: 'everything through a barrier' })],
  'lets what it has held overtake the next barrier': [
    'was overtaken',
    userMerge({ lets: 'what it has held through the next barrier' }),
  ],
  'drops what an input is ahead with': ['brought .*; out came', userMerge({ drops: true })],
  'mixes up what it has held': [
    'brought .*; out came|overtook|came before|was overtaken',
    userMerge({ reverses: true }),
  ],
  "takes one input's credit": [
    'came before input|both inputs have brought',
    userMerge({ credits: 'of the left input' }),
  ],
  'takes the credit of the input that is ahead': [
    'came before input',
    userMerge({ credits: 'of the input that is ahead' }),
  ],
  'withholds credit': ['have brought credit', userMerge({ credits: 'of none' })],
  'is bound by the watermark of an idle input': ['are at watermark|idle', userMerge({ bindsIdle: true })],
  'is bound by the watermark of an input that has ended': [
    'are at watermark|idle',
    userMerge({ bindsEnded: true }),
  ],
  'stays idle when an input is not': ['says otherwise', userMerge({ staysIdle: true })],
  'lets watermarks fall': ['came after', userMerge({ regresses: true })],
  'stays subscribed to the right input': ['still subscribed', userMerge({ leavesRight: true })],
  'waits for an input that has completed': ['expected the signals', userMerge({ waits: true })],
  'ends with the first input': [
    'expected the signals|came after the end',
    userMerge({ lets: 'end through with the first input' }),
  ],
};
