import { ClockTimers } from '../../../src/operators/keyed/clockTimers.js';
import { DueTimers } from '../../../src/operators/keyed/dueTimers.js';
import { SimulatedClock } from '../../../src/testing/index.js';

function waiting() {
  const clock = new SimulatedClock();
  const queue = { time: 'processing' as const, next: 10, last: 10, take: () => ({}) as never };
  const woken: number[] = [];
  const timers = new ClockTimers(new DueTimers([['t', queue]], 'processing'), clock, () =>
    woken.push(clock.now()),
  );
  return { clock, queue, woken, timers };
}

test('it wakes only once the attempt runs', () => {
  const { clock, timers, woken } = waiting();
  timers.schedule();
  clock.advance(20);
  expect(woken).toEqual([]);
  timers.start();
  clock.advance(0);
  expect(woken).toEqual([20]);
});

test('an earlier timer replaces the one it waits for', () => {
  const { clock, timers, queue, woken } = waiting();
  timers.start();
  queue.next = 5;
  timers.schedule();
  clock.advance(5);
  queue.next = Infinity;
  timers.schedule();
  clock.advance(20);
  expect(woken).toEqual([5]);
});

test('after the last barrier, neither the timer that it waits for nor a new one wakes it', () => {
  const { clock, timers, queue, woken } = waiting();
  timers.start();
  timers.unsubscribe();
  queue.next = 5;
  timers.schedule();
  clock.advance(20);
  expect(woken).toEqual([]);
});
