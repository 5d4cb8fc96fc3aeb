import { NEVER, Subject } from 'rxjs';
import {
  barrier,
  flowOperator,
  isSignal,
  open,
  signal,
  watermark,
  type FlowOperator,
  type Frozen,
  type Json,
  type Service,
  type Signal,
  type Watermark,
} from '../../../src/flow/index.js';
import { keyed } from '../../../src/operators/keyed.js';
import { KeyedOperator } from '../../../src/operators/keyed/keyedOperator.js';
import { valueState, type StateSpec, type ValueState } from '../../../src/state/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { checkpointData } from '../../../src/store/services.js';
import { SimulatedClock, TestAttempt } from '../../../src/testing/index.js';
import { dataOn, snapshotOf } from '../../state/harness.js';

type States = { open: StateSpec<ValueState<readonly string[]>>; n: StateSpec<ValueState<number>> };
const state: States = { open: valueState<readonly string[]>([]), n: valueState(0) };

/** Counts words, and emits the counts when time advances: one turn for a list of keys, one for each of them. */
class CountUntilWatermark extends KeyedOperator<string, string, States> {
  override onRecord(word: string): void {
    this.enter(word);
    const n = this.states.n.update((count) => count + 1);
    this.leave();
    if (n > 1) return;
    this.enter(['all']);
    this.states.open.update((words) => [...words, word]);
    this.leave();
  }

  override onWatermark(mark: Watermark): void {
    this.enter(['all']);
    const words = this.states.open.value;
    this.states.open.clear();
    this.leave();
    for (const word of words) {
      this.enter(word);
      this.emit(`${word}${this.states.n.value}`);
      this.states.n.clear();
      this.leave();
    }
    this.emit(mark);
  }
}

const counts = (): FlowOperator<string, string> =>
  flowOperator((out) => new CountUntilWatermark(out, { name: 'counts', id: 'counts', state }));

function bench(snapshot?: Json, operator = counts()) {
  const clock = new SimulatedClock();
  const attempt = new TestAttempt({
    clock,
    services: new Map<Service<unknown>, unknown>([[checkpointData, dataOn(store)]]),
    restored: new Map(snapshot === undefined ? [] : [['counts', { snapshot, pending: [] }]]),
  });
  const input = new Subject<string | Signal>();
  const seen: unknown[] = [];
  const acks: Frozen[] = [];
  const running = input.pipe(operator).subscribe({
    next: (value) => seen.push(isSignal(value) ? value[signal] : value),
    error: (error: unknown) => seen.push(`error ${(error as { code?: string }).code ?? String(error)}`),
  });
  /** Sends barriers, each after a word, until a merge of their segments has begun. Returns how many. */
  const merging = (): number => {
    input.next(open(['s'], attempt));
    for (let n = 1; n < 100; n++) {
      input.next(`word ${n}`);
      input.next(barrier(n, 'periodic', (_, frozen) => acks.push(frozen), NEVER));
      while (acks.length < n) clock.step();
      if (clock.step()) return n;
    }
    throw new Error('Nothing is merged.');
  };
  return { clock, attempt, input, seen, acks, running, merging };
}

let store = createMemoryStore();
beforeEach(() => {
  store = createMemoryStore();
});

describe('a subclass of KeyedOperator', () => {
  test('has turns of several keys, in records and in time, and is restored', () => {
    const { clock, attempt, input, seen, acks } = bench();
    input.next(open(['s'], attempt));
    for (const word of ['a', 'b', 'a']) input.next(word);
    input.next(barrier(1, 'periodic', (_, frozen) => acks.push(frozen), NEVER));
    while (clock.step());
    input.next(watermark(1));
    expect(seen).toEqual(['open', 'barrier', 'a2', 'b1', 'watermark']);

    const again = bench(acks[0]?.snapshot);
    again.input.next(open(['s'], again.attempt));
    while (again.clock.step());
    again.input.next('b');
    again.input.next(watermark(1));
    again.input.next(watermark(2));
    expect(again.seen).toEqual(['open', 'a2', 'b2', 'watermark', 'watermark']);
  });

  test('ends the turn of a key: retained handles throw', () => {
    let kept: ValueState<number> | undefined;
    const keeping = keyed('counts', {
      key: (word: string) => word,
      state: { n: valueState(0) },
      onRecord: (word, { n }) => {
        kept = n;
        return [word];
      },
    });
    const { attempt, input } = bench(undefined, keeping);
    input.next(open(['s'], attempt));
    input.next('a');
    expect(() => kept?.value).toThrow(expect.objectContaining({ code: 'StateOutsideTurn' }) as Error);
  });

  test('stops a merge when it is unsubscribed', () => {
    const { clock, running, merging } = bench();
    merging();
    running.unsubscribe();
    expect(clock.step()).toBe(false);
  });

  test('has nothing in flight once it has acked the last barrier', () => {
    const { clock, input, acks, merging } = bench();
    const n = merging() + 1;
    input.next('last');
    input.next(barrier(n, 'stop', (_, frozen) => acks.push(frozen), NEVER));
    while (acks.length < n) clock.step();
    expect(clock.step()).toBe(false);
  });

  test('fails on a record that comes before its state is restored', () => {
    const { attempt, input, seen } = bench(snapshotOf(['n'], []));
    input.next(open(['s'], attempt));
    input.next('a');
    expect(seen).toEqual(['error NotOpened']);
  });
});
