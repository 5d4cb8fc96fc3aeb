import { listState, type ListState } from '../../../src/state/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { Bench, takeTurns } from '../harness.js';

const ops = ['none', 'append', 'set', 'clear'] as const;
type Op = (typeof ops)[number];

/** Sequences of `length` operations. */
const sequences = (length: number): readonly (readonly Op[])[] =>
  length === 0 ? [[]] : sequences(length - 1).flatMap((before) => ops.map((op) => [...before, op]));

class Lists {
  readonly store = createMemoryStore();
  readonly states = { list: listState<number>() };
  readonly bench = new Bench(this.store, this.states);
  expected: number[] = [];
  #next = 0;

  apply(op: Op): void {
    const value = this.#next++;
    this.#turn(this.bench, (list) => {
      perform(list, op, value);
    });
    if (op === 'append') this.expected.push(value);
    else if (op !== 'none') this.expected = op === 'set' ? [value] : [];
  }

  undone(op: Op): void {
    this.#turn(this.bench, (list) => {
      this.bench.backend.remember();
      perform(list, op, -1);
      this.bench.backend.undo();
    });
  }

  /** What the list holds, and what a restore of the next checkpoint gives. */
  contents(): readonly (readonly number[])[] {
    const { snapshot } = this.bench.checkpoint();
    const restored = new Bench(this.store, this.states).restore(snapshot);
    return [this.bench, restored].map((bench) => this.#turn(bench, (list) => list.toArray()));
  }

  #turn<R>({ backend }: Bench, work: (list: ListState<number>) => R): R {
    backend.at('k');
    const result = work(backend.handles['list'] as ListState<number>);
    backend.leave();
    return result;
  }
}

function perform(list: ListState<number>, op: Op, value: number): void {
  if (op === 'append') list.append(value);
  else if (op === 'set') list.set([value]);
  else if (op === 'clear') list.clear();
}

test.each([[[0]], [[1]], [[0, 1]], [[1, 0]]])(
  'what could not be stored is in the next checkpoint, under what was written later: barriers %j are canceled',
  (canceled) => {
    for (const sequence of sequences(4)) {
      const lists = new Lists();
      const [first = 'none', second = 'none', ...later] = sequence;
      lists.apply('append');
      lists.apply(first);
      lists.bench.checkpoint();
      const barriers = [second, ...later.slice(0, 1)].map((op) => {
        lists.apply(op);
        return lists.bench.backend.freeze().subscribe();
      });
      for (const op of later.slice(1)) lists.apply(op);
      for (const barrier of canceled) barriers[barrier]?.unsubscribe();
      takeTurns(lists.bench.clock);
      expect([sequence, ...lists.contents()]).toEqual([sequence, lists.expected, lists.expected]);
    }
  },
);

test('what was undone is in no checkpoint, and what a checkpoint has is not in the next one again', () => {
  for (const sequence of sequences(4)) {
    const lists = new Lists();
    const [first = 'none', second = 'none', third = 'none', undone = 'none'] = sequence;
    lists.apply('append');
    for (const op of [first, second]) {
      lists.apply(op);
      lists.bench.checkpoint();
    }
    lists.apply(third);
    lists.undone(undone);
    expect([sequence, ...lists.contents()]).toEqual([sequence, lists.expected, lists.expected]);
  }
});
