import fc from 'fast-check';
import type {
  Fragment,
  FragmentLimits,
  FragmentState,
  PlannedObject,
} from '../../src/sources/fragmentBudget.js';
import {
  fragmentsOver,
  planFragments,
  stepFragments,
  type FragmentEvent,
} from '../../src/sources/fragments.js';

type State = FragmentState<PlannedObject>;
type Queue = State['plans'][number]['queue'];

const queueOf = ({ plans }: State): Queue => plans.flatMap(({ queue }) => queue);

const consumed = ({ plans }: State, lane = 0): FragmentEvent<PlannedObject> => ({
  type: 'consumed',
  object: plans[lane]!.object,
});

/** The lanes whose next fragment has arrived. */
const readable = ({ plans, limits }: State): number[] =>
  plans.slice(0, limits.objects).flatMap(({ queue }, lane) => (queue[0]?.here === true ? [lane] : []));

/** Runs a plan against arrivals in any order, and keeps what it asked for. */
class Driver {
  state;
  readonly gets: Fragment<PlannedObject>[] = [];
  readonly aborted: number[] = [];
  asked = 0;

  constructor(limits: FragmentLimits) {
    this.state = planFragments<PlannedObject>(limits);
    this.on({ type: 'start' });
  }

  on(event: FragmentEvent<PlannedObject>): void {
    const { state, effects } = stepFragments(this.state, event);
    this.state = state;
    for (const effect of effects) {
      if (effect.type === 'get') this.gets.push(effect.fragment);
      else if (effect.type === 'abort') this.aborted.push(effect.id);
      else this.asked++;
    }
  }

  get queue(): Queue {
    return queueOf(this.state);
  }

  get underWay(): readonly Fragment<PlannedObject>[] {
    return this.queue.filter(({ here }) => !here).map(({ fragment }) => fragment);
  }
}

const object = (key: string, size: number, from = 0): PlannedObject => ({ key, size, etag: key, from });

/** The size of the plan's fragment `id`, where its object is long enough. */
const growing = ({ window, fragment }: { window: number; fragment: number }, id: number): number =>
  id >= window ? fragment : Math.ceil((fragment * (id + 1)) / window);

/** Per object, the range that its fragments cover without a gap. */
function joined(fragments: readonly Fragment<PlannedObject>[]): Record<string, [number, number]> {
  const ranges: Record<string, [number, number]> = {};
  for (const { object, start, end } of fragments) {
    const range = (ranges[object.key] ??= [start, start]);
    expect(start).toBe(range[1]);
    range[1] = end;
  }
  return ranges;
}

const limitsDrawn = fc.record({
  window: fc.integer({ min: 1, max: 5 }),
  fragment: fc.integer({ min: 1, max: 20 }),
  objects: fc.integer({ min: 1, max: 4 }),
});

describe('the fragment plan', () => {
  it('covers every object once and in order, within its budget, for every order of arrivals', () => {
    fc.assert(
      fc.property(
        limitsDrawn,
        fc.array(fc.tuple(fc.nat(70), fc.nat(70)), { maxLength: 10 }),
        fc.array(fc.nat(1000), { minLength: 1, maxLength: 300 }),
        (limits, sizes, choices) => {
          const driver = new Driver(limits);
          const objects = sizes.map(([size, from], i) => object(`o${i}`, size, Math.min(from, size)));
          let turn = 0;
          const choose = (): number => choices[turn++ % choices.length]!;
          let given = 0;
          const read: Fragment<PlannedObject>[] = [];
          while (!fragmentsOver(driver.state)) {
            const { held, plans, objects: finding } = driver.state;
            const bytes = driver.queue.reduce((sum, { fragment: { start, end } }) => sum + end - start, 0);
            const lanes = readable(driver.state);
            expect(held).toBeGreaterThanOrEqual(bytes);
            expect(held).toBeLessThanOrEqual((limits.window + limits.objects) * limits.fragment);
            if (limits.objects === 1) {
              const consuming = lanes.length === 0 ? 0 : plans[0]!.queue[0]!.fragment.counts;
              expect(held - consuming).toBeLessThanOrEqual(limits.window * limits.fragment);
            }
            // No lane goes without.
            expect(plans.slice(0, limits.objects).filter(({ queue }) => queue.length === 0)).toEqual([]);
            if (plans.length < limits.objects) expect(finding).not.toBe('idle');
            expect(driver.asked - given).toBeLessThanOrEqual(1);
            const moves: (() => void)[] = driver.underWay.map(
              ({ id }) =>
                () =>
                  driver.on({ type: 'arrived', id }),
            );
            if (driver.asked > given) {
              moves.push(() => {
                const next = objects[given++];
                driver.on(next === undefined ? { type: 'noMoreObjects' } : { type: 'object', object: next });
              });
            }
            for (const lane of lanes)
              moves.push(() => {
                read.push(driver.state.plans[lane]!.queue[0]!.fragment);
                driver.on(consumed(driver.state, lane));
              });
            expect(moves.length).toBeGreaterThan(0);
            moves[choose() % moves.length]!();
          }
          expect(joined(read)).toEqual(
            Object.fromEntries(objects.map(({ key, size, from }) => [key, [from, size]])),
          );
          for (const { id, start, end, object } of read)
            expect(end - start).toBe(Math.min(object.size - start, growing(limits, id)));
        },
      ),
    );
  });

  it('reads on in smaller pieces where there is no memory for a whole fragment', () => {
    const object = { key: 'a', size: 100, etag: 'e', from: 0 };
    let state = planFragments<PlannedObject>({ window: 2, fragment: 40 });
    const ranges: (readonly [number, number])[] = [];
    const on = (event: FragmentEvent<PlannedObject>): void => {
      const step = stepFragments(state, event);
      state = step.state;
      for (const effect of step.effects)
        if (effect.type === 'get') ranges.push([effect.fragment.start, effect.fragment.end]);
    };
    on({ type: 'memory', limit: 15 });
    on({ type: 'start' });
    on({ type: 'object', object });
    expect(ranges).toEqual([[0, 15]]);
    on({ type: 'arrived', id: 0 });
    on(consumed(state));
    expect(ranges.slice(1)).toEqual([[15, 30]]);
  });

  it('takes no more memory than its limit, which may change at any time, and is read to the end within it', () => {
    fc.assert(
      fc.property(
        limitsDrawn,
        fc.array(fc.nat(70), { maxLength: 6 }),
        fc.infiniteStream(fc.nat(100)),
        (limits, sizes, choices) => {
          const driver = new Driver(limits);
          const next = (most: number): number => choices.next().value % most;
          let limit = Infinity;
          let given = 0;
          for (let turns = 0; !fragmentsOver(driver.state); turns++) {
            expect(turns).toBeLessThan(10_000);
            const moves: (() => FragmentEvent<PlannedObject>)[] = [
              () => {
                limit = Math.max(limits.objects, limits.fragment * (1 + next(limits.window + 1)));
                return { type: 'memory', limit };
              },
              ...driver.underWay.map(({ id }) => (): FragmentEvent<PlannedObject> => ({
                type: 'arrived',
                id,
              })),
              ...readable(driver.state).map((lane) => () => consumed(driver.state, lane)),
            ];
            if (driver.asked > given)
              moves.push(() => {
                const size = sizes[given++];
                return size === undefined
                  ? { type: 'noMoreObjects' }
                  : { type: 'object', object: object(`o${given}`, size) };
              });
            const before = driver.gets.length;
            driver.on(moves[next(moves.length)]!());
            const { held, plans } = driver.state;
            if (driver.gets.length > before && limits.objects === 1) expect(held).toBeLessThanOrEqual(limit);
            // Less memory does not stop a lane, either.
            if (plans.length < limits.objects) expect(driver.state.objects).not.toBe('idle');
            expect(plans.slice(0, limits.objects).filter(({ queue }) => queue.length === 0)).toEqual([]);
          }
          expect(given).toBe(sizes.length + 1);
          expect(driver.gets.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(
            sizes.reduce((sum, size) => sum + size, 0),
          );
        },
      ),
    );
  });

  it('keeps room for every lane, as long as the limit stays, so that one that stands still does not stop the others', () => {
    fc.assert(
      fc.property(
        limitsDrawn,
        fc.integer({ min: 4, max: 200 }),
        fc.array(fc.nat(70), { minLength: 1, maxLength: 10 }),
        fc.nat(3),
        fc.infiniteStream(fc.nat(100)),
        (limits, memory, sizes, still, choices) => {
          const driver = new Driver(limits);
          driver.on({ type: 'memory', limit: memory });
          let given = 0;
          const stands = ({ object: { key } }: Fragment<PlannedObject>): boolean =>
            limits.objects > 1 && key === `o${still}`;
          for (;;) {
            const { plans, held } = driver.state;
            expect(held).toBeLessThanOrEqual(memory);
            expect(plans.slice(0, limits.objects).filter(({ queue }) => queue.length === 0)).toEqual([]);
            const moves = [
              ...driver.underWay
                .filter((fragment) => !stands(fragment))
                .map(({ id }) => (): FragmentEvent<PlannedObject> => ({ type: 'arrived', id })),
              ...readable(driver.state).map((lane) => () => consumed(driver.state, lane)),
            ];
            if (driver.asked > given)
              moves.push(() => {
                const size = sizes[given++];
                return size === undefined
                  ? { type: 'noMoreObjects' }
                  : { type: 'object', object: object(`o${given - 1}`, size) };
              });
            if (moves.length === 0) break;
            driver.on(moves[choices.next().value % moves.length]!());
          }
          const left = limits.objects > 1 && sizes[still] !== undefined && sizes[still] > 0;
          expect(driver.state.plans.map((plan) => plan.object.key)).toEqual(left ? [`o${still}`] : []);
          expect(driver.state.objects).toBe('over');
        },
      ),
    );
  });

  it('gives an object no more than its share of the budget, while others are read or may come', () => {
    const driver = new Driver({ window: 12, fragment: 10, objects: 3 });
    const bytesOf = (key: string): number =>
      driver.underWay.filter((each) => each.object.key === key).reduce((sum, each) => sum + each.counts, 0);
    driver.on({ type: 'object', object: object('a', 1000) });
    driver.on({ type: 'arrived', id: 0 });
    // Half of it: one other may come.
    expect(bytesOf('a')).toBe(60);
    driver.on({ type: 'object', object: object('b', 1000) });
    driver.on({ type: 'object', object: object('c', 1000) });
    expect(bytesOf('b') + bytesOf('c')).toBe(60);
    expect(bytesOf('b')).toBe(30);
    driver.on({ type: 'consumed', object: driver.state.plans[0]!.object });
    expect(bytesOf('a')).toBe(60);
  });

  it('makes one request at a time if it must, for each object in turn', () => {
    const driver = new Driver({ window: 4, fragment: 10, objects: 2, requests: 1 });
    for (const key of ['a', 'b', 'c']) driver.on({ type: 'object', object: object(key, 20) });
    for (let n = 0; n < 20 && driver.underWay.length > 0; n++) {
      expect(driver.underWay).toHaveLength(1);
      driver.on({ type: 'arrived', id: driver.underWay[0]!.id });
    }
    expect(driver.gets.map((each) => each.object.key).slice(0, 4)).toEqual(['a', 'b', 'a', 'b']);
  });

  it('begins with a window of growing fragments, each in place of a whole one', () => {
    const driver = new Driver({ window: 4, fragment: 8 });
    driver.on({ type: 'object', object: object('o', 1000) });
    expect(driver.gets.map(({ start, end }) => [start, end])).toEqual([
      [0, 2],
      [2, 6],
      [6, 12],
      [12, 20],
    ]);
    driver.on({ type: 'arrived', id: 0 });
    driver.on(consumed(driver.state));
    expect(driver.gets.slice(4).map(({ start, end }) => [start, end])).toEqual([[20, 28]]);
  });

  it('fetches a whole window while the previous fragment is consumed', () => {
    const driver = new Driver({ window: 3, fragment: 10 });
    driver.on({ type: 'object', object: object('o', 1000) });
    for (const { id } of [...driver.underWay]) driver.on({ type: 'arrived', id });
    expect(driver.underWay).toHaveLength(1);
    driver.on(consumed(driver.state));
    driver.on(consumed(driver.state));
    expect(driver.underWay).toHaveLength(3);
    expect(driver.queue.filter(({ here }) => here)).toHaveLength(1);
  });

  it('reaches into the next objects, counting small ones by size', () => {
    const driver = new Driver({ window: 8, fragment: 100 });
    for (let i = 0; i < 4; i++) driver.on({ type: 'object', object: object(`o${i}`, 10) });
    expect(driver.gets.map((fragment) => fragment.object.key)).toEqual(['o0', 'o1', 'o2', 'o3']);
  });

  it('fetches beyond the end of an object only what its lane waits for, little at first and then as much again', () => {
    const KiB = 1024;
    const driver = new Driver({ window: 8, fragment: 200 * KiB, objects: 2 });
    driver.on({ type: 'object', object: { ...object('a', 5000 * KiB), end: 50 * KiB } });
    driver.on({ type: 'object', object: { ...object('b', 5000 * KiB, 100 * KiB), end: 150 * KiB } });
    driver.on({ type: 'noMoreObjects' });
    const fetched = (key: string): number[] =>
      driver.gets.filter((each) => each.object.key === key).map(({ start, end }) => (end - start) / KiB);
    expect(fetched('a')).toEqual([25, 25]);
    expect(fetched('b')).toEqual([50]);
    const consume = (): void => {
      for (const { id } of driver.underWay) driver.on({ type: 'arrived', id });
      driver.on(consumed(driver.state));
    };
    for (let n = 0; n < 6; n++) consume();
    expect(fetched('a')).toEqual([25, 25, 64, 64, 128, 175, 200]);
    expect(fetched('b')).toEqual([50]);
    driver.on({ type: 'dropped', object: driver.state.plans[0]!.object });
    driver.on({ type: 'dropped', object: driver.state.plans[0]!.object });
    expect(fragmentsOver(driver.state)).toBe(true);
    expect(driver.state.held).toBe(0);
  });

  it('aborts requests in flight on close, and does nothing afterwards', () => {
    const driver = new Driver({ window: 4, fragment: 10 });
    driver.on({ type: 'object', object: object('o', 100) });
    driver.on({ type: 'arrived', id: 0 });
    const late = consumed(driver.state);
    driver.on({ type: 'close' });
    expect(driver.aborted).toEqual([1, 2, 3, 4]);
    driver.on(late);
    driver.on({ type: 'object', object: object('p', 100) });
    expect(driver.gets).toHaveLength(5);
  });
});
