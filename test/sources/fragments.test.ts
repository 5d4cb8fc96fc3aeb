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
            expect(held).toBe(queue.reduce((sum, { fragment: { start, end } }) => sum + end - start, 0));
            expect(held).toBeLessThanOrEqual(limits.window * limits.fragment);
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
          const expected = objects.flatMap(({ key, size, from }) => {
            const ranges: [string, number, number][] = [];
            for (let at = from; at < size || ranges.length === 0; at += limits.fragment) {
              ranges.push([key, at, Math.min(at + limits.fragment, size)]);
            }
            return ranges;
          });
          expect(consumed.map(({ object: { key }, start, end }) => [key, start, end])).toEqual(expected);
        },
      ),
    );
  });

  it('starts with two fragments and doubles with what is consumed, up to the window', () => {
    const driver = new Driver({ window: 8, fragment: 10 });
    driver.on({ type: 'object', object: object('o', 1000) });
    const ahead: number[] = [];
    for (let i = 0; i < 5; i++) {
      ahead.push(driver.state.queue.length);
      driver.on({ type: 'arrived', id: driver.state.queue[0]!.fragment.id });
      driver.on({ type: 'consumed' });
    }
    expect(ahead).toEqual([2, 4, 8, 8, 8]);
  });

  it('reaches into the next objects, small ones by their size', () => {
    const driver = new Driver({ window: 8, fragment: 100 });
    for (let i = 0; i < 4; i++) driver.on({ type: 'object', object: object(`o${i}`, 10) });
    expect(driver.gets.map((fragment) => fragment.object.key)).toEqual(['o0', 'o1', 'o2', 'o3']);
  });

  it('aborts on close what is under way, and is dead from then on', () => {
    const driver = new Driver({ window: 4, fragment: 10 });
    driver.on({ type: 'object', object: object('o', 100) });
    driver.on({ type: 'arrived', id: 0 });
    driver.on({ type: 'close' });
    expect(driver.aborted).toEqual([1]);
    driver.on({ type: 'consumed' });
    driver.on({ type: 'object', object: object('p', 100) });
    expect(driver.gets).toHaveLength(2);
  });
});
