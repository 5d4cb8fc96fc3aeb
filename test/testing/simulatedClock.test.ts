import { SimulatedClock } from '../../src/testing/index.js';

test('timers run in the order of their times, and those due at the same time in the order in which they were set', () => {
  const clock = new SimulatedClock(1000);
  const ran: string[] = [];
  const note = (name: string) => () => ran.push(`${name} ${clock.now()}`);
  clock.after(20, note('d'));
  clock.after(10, note('b'));
  clock.after(10, note('c'));
  clock.yield(note('a'));
  clock.run();
  expect(ran).toEqual(['a 1000', 'b 1010', 'c 1010', 'd 1020']);
  expect(clock.step()).toBe(false);
});

test('advance runs exactly the timers that are due by then, including those they set', () => {
  const clock = new SimulatedClock();
  const ran: number[] = [];
  const again = (): void => {
    ran.push(clock.now());
    clock.after(4, again);
  };
  again();
  clock.after(2, () => ran.push(-1)).unsubscribe();
  clock.advance(9);
  expect(ran).toEqual([0, 4, 8]);
  expect(clock.now()).toBe(9);
  clock.advance(2);
  expect(ran).toEqual([0, 4, 8]);
  clock.advance(1);
  expect(ran).toEqual([0, 4, 8, 12]);
});

test('setting the time moves no timer', () => {
  const clock = new SimulatedClock(1000);
  let ran = false;
  clock.after(10, () => (ran = true));
  clock.setTime(50_000);
  expect([clock.now(), clock.monotonic()]).toEqual([50_000, 1000]);
  clock.advance(9);
  expect(ran).toBe(false);
  clock.advance(1);
  expect([ran, clock.now(), clock.monotonic()]).toEqual([true, 50_010, 1010]);
});
