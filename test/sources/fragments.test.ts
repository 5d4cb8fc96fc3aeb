import fc from 'fast-check';
import {
  fragmentsOver,
  planFragments,
  stepFragments,
  type Fragment,
  type FragmentEvent,
  type PlannedObject,
} from '../../src/sources/fragments.js';

/** Runs a plan against arrivals in any order, and keeps what it asked for. */
class Driver {
  state;
  readonly gets: Fragment<PlannedObject>[] = [];
  readonly aborted: number[] = [];
  asked = 0;

  constructor(limits: { window: number; fragment: number }) {
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

  get underWay(): readonly Fragment<PlannedObject>[] {
    return this.state.queue.filter(({ here }) => !here).map(({ fragment }) => fragment);
  }
}

const object = (key: string, size: number, from = 0): PlannedObject => ({ key, size, etag: key, from });

/** The size of the plan's fragment `id`, where its object is long enough. */
const growing = ({ window, fragment }: { window: number; fragment: number }, id: number): number =>
  id >= window ? fragment : Math.ceil((fragment * (id + 1)) / window);

/** Per object, the range that its fragments cover without a gap. */
function joined(fragments: readonly Fragment<PlannedObject>[]): [string, number, number][] {
  const ranges: [string, number, number][] = [];
  for (const { object, start, end } of fragments) {
    const last = ranges.at(-1);
    if (last?.[0] === object.key && last[2] === start) last[2] = end;
    else ranges.push([object.key, start, end]);
  }
  return ranges;
}

describe('the fragment plan', () => {
  it('covers every object once and in order, within its budget, for every order of arrivals', () => {
    fc.assert(
      fc.property(
        fc.record({ window: fc.integer({ min: 1, max: 5 }), fragment: fc.integer({ min: 1, max: 20 }) }),
        fc.array(fc.tuple(fc.nat(70), fc.nat(70)), { maxLength: 10 }),
        fc.array(fc.nat(1000), { minLength: 1, maxLength: 300 }),
        (limits, sizes, choices) => {
          const driver = new Driver(limits);
          const objects = sizes.map(([size, from], i) => object(`o${i}`, size, Math.min(from, size)));
          let turn = 0;
          const choose = (): number => choices[turn++ % choices.length]!;
          let given = 0;
          const consumed: Fragment<PlannedObject>[] = [];
          while (!fragmentsOver(driver.state)) {
            const { queue, held } = driver.state;
            const bytes = queue.reduce((sum, { fragment: { start, end } }) => sum + end - start, 0);
            const [first] = queue;
            const consuming = first?.here === true ? first.fragment.counts : 0;
            expect(held).toBeGreaterThanOrEqual(bytes);
            expect(held - consuming).toBeLessThanOrEqual(limits.window * limits.fragment);
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
            const head = queue[0];
            if (head?.here === true) {
              moves.push(() => {
                consumed.push(head.fragment);
                driver.on({ type: 'consumed' });
              });
            }
            expect(moves.length).toBeGreaterThan(0);
            moves[choose() % moves.length]!();
          }
          expect(joined(consumed)).toEqual(objects.map(({ key, size, from }) => [key, from, size]));
          for (const { id, start, end, object } of consumed)
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
    on({ type: 'consumed' });
    expect(ranges.slice(1)).toEqual([[15, 30]]);
  });

  it('takes no more memory than its limit, which may change at any time, and is read to the end within it', () => {
    fc.assert(
      fc.property(
        fc.record({ window: fc.integer({ min: 1, max: 5 }), fragment: fc.integer({ min: 1, max: 20 }) }),
        fc.array(fc.nat(70), { maxLength: 6 }),
        fc.infiniteStream(fc.nat(100)),
        (limits, sizes, choices) => {
          const driver = new Driver(limits);
          const next = (most: number): number => choices.next().value % most;
          let limit = Infinity;
          let given = 0;
          for (let turns = 0; !fragmentsOver(driver.state); turns++) {
            expect(turns).toBeLessThan(10_000);
            const [head] = driver.state.queue;
            const moves: (() => FragmentEvent<PlannedObject>)[] = [
              () => {
                limit = limits.fragment * (1 + next(limits.window + 1));
                return { type: 'memory', limit };
              },
              ...driver.underWay.map(({ id }) => (): FragmentEvent<PlannedObject> => ({
                type: 'arrived',
                id,
              })),
              ...(head?.here === true ? [(): FragmentEvent<PlannedObject> => ({ type: 'consumed' })] : []),
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
            if (driver.gets.length > before) expect(driver.state.held).toBeLessThanOrEqual(limit);
          }
          expect(given).toBe(sizes.length + 1);
          expect(driver.gets.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(
            sizes.reduce((sum, size) => sum + size, 0),
          );
        },
      ),
    );
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
    driver.on({ type: 'consumed' });
    expect(driver.gets.slice(4).map(({ start, end }) => [start, end])).toEqual([[20, 28]]);
  });

  it('fetches a whole window while the previous fragment is consumed', () => {
    const driver = new Driver({ window: 3, fragment: 10 });
    driver.on({ type: 'object', object: object('o', 1000) });
    for (const { id } of [...driver.underWay]) driver.on({ type: 'arrived', id });
    expect(driver.underWay).toHaveLength(1);
    driver.on({ type: 'consumed' });
    driver.on({ type: 'consumed' });
    expect(driver.underWay).toHaveLength(3);
    expect(driver.state.queue.filter(({ here }) => here)).toHaveLength(1);
  });

  it('reaches into the next objects, counting small ones by size', () => {
    const driver = new Driver({ window: 8, fragment: 100 });
    for (let i = 0; i < 4; i++) driver.on({ type: 'object', object: object(`o${i}`, 10) });
    expect(driver.gets.map((fragment) => fragment.object.key)).toEqual(['o0', 'o1', 'o2', 'o3']);
  });

  it('aborts requests in flight on close, and does nothing afterwards', () => {
    const driver = new Driver({ window: 4, fragment: 10 });
    driver.on({ type: 'object', object: object('o', 100) });
    driver.on({ type: 'arrived', id: 0 });
    driver.on({ type: 'close' });
    expect(driver.aborted).toEqual([1, 2, 3, 4]);
    driver.on({ type: 'consumed' });
    driver.on({ type: 'object', object: object('p', 100) });
    expect(driver.gets).toHaveLength(5);
  });
});
