import fc from 'fast-check';
import { timers, type Key, type Timers } from '../../../src/state/index.js';
import { storedKey, userKey } from '../../../src/state/keys/keys.js';

const keys: readonly Key[] = ['a', 'b', '1', 1, 2, 10n, true, null, ['a', 1], ['a', 2]];
const namespaces: readonly (Key | undefined)[] = [undefined, '', 'w', 1, [1, 2]];
const all = keys.flatMap((key) => namespaces.map((namespace) => ({ key, namespace })));

/** Sets timers, all for the same time, and takes them. */
function taken(of: typeof all): unknown[] {
  const live = timers('event').open('t');
  const handle: Timers = live.handle;
  for (const { key, namespace } of of) {
    live.at(storedKey(key));
    handle.set(1000, namespace);
    live.leave();
  }
  return of.map(() => {
    const { key, namespace } = live.timers!.take();
    return { key: userKey(key), namespace };
  });
}

test('timers of the same time fire in an order that depends on nothing but their keys and namespaces', () => {
  const order = taken(all);
  fc.assert(
    fc.property(fc.shuffledSubarray(all), (some) => {
      const found = taken(some);
      const ranks = found.map((timer) =>
        order.findIndex((each) => JSON.stringify(each, text) === JSON.stringify(timer, text)),
      );
      expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
      expect(found).toHaveLength(some.length);
    }),
  );
});

const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);
