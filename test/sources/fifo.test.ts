import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { Fifo } from '../../src/sources/fifo.js';

test('is an array of which only the ends are used', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.constant('push' as const) },
    { weight: 4, arbitrary: fc.constant('shift' as const) },
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const fifo = new Fifo<number>();
      let model: number[] = [];
      for (const [i, each] of steps.entries()) {
        if (each === 'push') {
          fifo.push(i);
          model.push(i);
        } else if (each === 'shift') expect(fifo.shift()).toBe(model.shift());
        else {
          fifo.clear();
          model = [];
        }
        expect(fifo.length).toBe(model.length);
        expect([...fifo]).toEqual(model);
      }
    }),
  );
});

test('does not keep what has left, although it is never empty', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const fifo = new Fifo<object>();
  const left: WeakRef<object>[] = [];
  fifo.push({});
  for (let i = 0; i < 1000; i++) {
    const item = { i };
    fifo.push(item);
    left.push(new WeakRef(fifo.shift() ?? item));
  }
  expect(fifo.length).toBe(1);
  // Referents are kept until the end of the turn.
  await new Promise(setImmediate);
  collect();
  expect(left.filter((each) => each.deref() !== undefined)).toHaveLength(0);
});
