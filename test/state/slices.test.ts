import { VirtualTimeScheduler } from 'rxjs';
import { clockOf } from '../../src/flow/index.js';
import { sliced, type Step } from '../../src/state/slices.js';

/** Steps in each turn of the event loop, for work of `steps` steps that need `millis` each. */
function turns(steps: number, millis: number): number[] {
  const scheduler = new VirtualTimeScheduler();
  const virtual = clockOf(scheduler);
  let now = 0;
  const found: number[] = [];
  let left = steps;
  const step = (): Step => {
    found[found.length - 1]!++;
    now += millis;
    return --left > 0 ? 'more' : 'done';
  };
  const clock = {
    ...virtual,
    now: () => now,
    yield: (work: () => void) =>
      virtual.yield(() => {
        found.push(0);
        work();
      }),
  };
  sliced(clock, step).subscribe();
  scheduler.flush();
  return found;
}

test('a turn ends after two milliseconds, or four steps', () => {
  expect(turns(10, 1)).toEqual([2, 2, 2, 2, 2]);
  expect(turns(10, 0)).toEqual([4, 4, 2]);
  expect(turns(2, 5)).toEqual([1, 1]);
});

test('work that takes long gets turns of up to eight milliseconds', () => {
  const found = turns(5000, 1).slice(0, -1);
  expect([found[0], found.at(-1)]).toEqual([2, 8]);
  expect(found).toEqual([...found].sort((a, b) => a - b));
});
