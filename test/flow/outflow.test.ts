import { credit, open, Outflow, outflows, type Service } from '../../src/flow/index.js';
import { CreditLedger } from '../../src/sources/creditLedger.js';
import { SimulatedClock, TestAttempt } from '../../src/testing/index.js';

function emitting() {
  const clock = new SimulatedClock();
  const ledger = new CreditLedger(() => undefined);
  const services = new Map<Service<unknown>, unknown>([[outflows, ledger]]);
  const attempt = new TestAttempt({ clock, services });
  const outflow = new Outflow('sums', attempt);
  const counted = { steps: 0, slices: 0 };
  const slice = (): boolean => {
    counted.slices++;
    return outflow.slice(() => counted.steps++ < 3000);
  };
  return { clock, ledger, attempt, outflow, counted, slice };
}

test('terminals after it release its credits as those of a source', () => {
  const { outflow, attempt } = emitting();
  expect(outflow.passed(open(['in'], attempt)).sources).toEqual(['in', 'sums']);
});

test('a slice ends after some steps or milliseconds, and with the work', () => {
  const { clock, outflow, counted, slice } = emitting();
  expect([slice(), counted.steps]).toEqual([false, 1024]);
  const step = (): boolean => {
    clock.advance(1);
    counted.steps++;
    return true;
  };
  expect([outflow.slice(step), counted.steps]).toEqual([false, 1026]);
  slice();
  expect([slice(), counted.steps]).toEqual([true, 3001]);
});

test('the next slice begins when all terminals have dealt with those before it', () => {
  const { clock, ledger, outflow, counted, slice } = emitting();
  ledger.terminal('a', ['sums']);
  ledger.terminal('b', ['sums']);
  slice();
  const passed = outflow.credit();
  outflow.next(slice);
  for (const terminal of ['a', 'b']) {
    clock.advance(0);
    expect([counted.slices, outflow.free]).toEqual([1, false]);
    ledger.release(terminal, passed);
  }
  expect([counted.slices, outflow.free]).toEqual([1, true]);
  clock.advance(0);
  expect(counted.slices).toBe(2);
});

test('without terminals, it waits only for the event loop', () => {
  const { clock, outflow, counted, slice } = emitting();
  slice();
  outflow.credit();
  outflow.next(slice);
  expect(counted.slices).toBe(1);
  clock.advance(0);
  expect(counted.slices).toBe(2);
});

test('after a teardown, no slice begins', () => {
  for (const waits of [true, false]) {
    const { clock, ledger, outflow, counted, slice } = emitting();
    if (waits) ledger.terminal('a', ['sums']);
    slice();
    outflow.credit();
    outflow.next(slice);
    outflow.unsubscribe();
    ledger.release('a', credit('sums', 9999));
    clock.advance(0);
    expect(counted.slices).toBe(1);
  }
});
