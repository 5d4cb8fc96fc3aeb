import { DueTimers } from '../../../src/operators/keyed/dueTimers.js';
import type { TimerQueue, TimerTime } from '../../../src/state/index.js';

/** A queue with these times, sorted. */
function queue(time: TimerTime, ...times: number[]): TimerQueue {
  return {
    time,
    get next() {
      return times[0] ?? Infinity;
    },
    get last() {
      return times.at(-1) ?? -Infinity;
    },
    take: () => ({ key: 'k', at: times.shift()!, namespace: undefined }),
  };
}

function taken(due: DueTimers, now: number): string[] {
  const all: string[] = [];
  for (let next = due.take(now); next !== undefined; next = due.take(now))
    all.push(`${next.timer.state} ${next.timer.at}`);
  return all;
}

test('timers are due up to and including the current time, in order; those of the same time in the order of states', () => {
  const due = new DueTimers(
    [
      ['a', queue('event', 2, 5, 5, 9)],
      ['b', queue('event', 1, 5, 10)],
      ['c', queue('processing', 0, 20)],
    ],
    'event',
  );
  expect([due.exist, due.next, due.last]).toEqual([true, 1, 10]);
  expect(taken(due, 9)).toEqual(['b 1', 'a 2', 'a 5', 'a 5', 'b 5', 'a 9']);
  expect([due.next, due.last]).toEqual([10, 10]);
  expect(taken(due, 10)).toEqual(['b 10']);
  expect([due.next, due.last]).toEqual([Infinity, -Infinity]);
});

test('without timers of this time, nothing is due', () => {
  const due = new DueTimers([['c', queue('processing', 0)]], 'event');
  expect([due.exist, due.next, due.last, due.take(Infinity)]).toEqual([
    false,
    Infinity,
    -Infinity,
    undefined,
  ]);
});
