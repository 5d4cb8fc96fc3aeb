import { Observable, VirtualTimeScheduler } from 'rxjs';
import { clockOf } from '../../../src/flow/index.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { retrying } from '../../../src/store/decorators/retry.js';
import { StoreError } from '../../../src/store/errors.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import { Gate } from '../../../src/store/s3/gate.js';
import { seeded } from '../../../src/testing/store/support.js';

/** Latency of the server. Milliseconds. */
const latency = 30;

/**
 * Gate and retries together, in virtual time: many requests together, at a server that tolerates `capacity(now)` requests a
 * second and refuses the others.
 */
function storm(requests: number, capacity: (now: number) => number, paced = true) {
  const time = new VirtualTimeScheduler();
  const clock = clockOf(time);
  const rates: number[] = [];
  const gate = new Gate({
    places: 50,
    clock,
    paced,
    longestHold: 20_000,
    onPace: (_, rate) => rates.push(rate),
  });
  const arrivals: { readonly at: number; readonly refused: boolean }[] = [];
  let tokens = 0;
  let at = 0;
  const bears = (): boolean => {
    const most = capacity(clock.now());
    tokens = most === Infinity ? 1 : Math.min(most / 5, tokens + ((clock.now() - at) / 1000) * most);
    at = clock.now();
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
  const server = decorate(
    createMemoryStore({ clock }),
    (_, run) =>
      new Observable((out) => {
        const withdraw = gate.enter('lake', (pass) => {
          const ok = bears();
          arrivals.push({ at: clock.now(), refused: !ok });
          out.add(
            clock.after(latency, () => {
              pass.answered(ok ? 'otherwise' : 'throttled');
              pass.leave();
              if (ok) out.add(run.subscribe(out));
              else out.error(new StoreError('Throttled', 'Fewer, please.'));
            }),
          );
        });
        return withdraw;
      }),
  );
  const store = retrying(server, { clock, random: seeded(11) });
  const outcomes: string[] = [];
  for (let i = 0; i < requests; i++) {
    store.put(`k${i}`, Buffer.from('x')).subscribe({
      next: () => outcomes.push('ok'),
      error: (error: unknown) => outcomes.push((error as StoreError).code),
    });
  }
  time.flush();
  const refused = arrivals.filter((one) => one.refused).length;
  const failed = outcomes.filter((one) => one !== 'ok').length;
  const between = (from: number, to: number): number =>
    arrivals.filter((one) => one.at >= from && one.at < to).length / ((to - from) / 1000);
  return { outcomes, refused, failed, rates, between, end: time.now() };
}

test('every request succeeds on a server that tolerates few, with the usual three retries and few refusals', () => {
  const { failed, refused, outcomes } = storm(600, () => 50);
  expect(outcomes).toHaveLength(600);
  expect(failed).toBe(0);
  expect(refused).toBeLessThan(90);
});

test('without a pace most of them would fail', () => {
  const { failed, refused } = storm(600, () => 50, false);
  expect(failed).toBeGreaterThan(200);
  expect(refused).toBeGreaterThan(1000);
});

test('the rate falls to what the server tolerates while it throttles, and rises again until nothing is limited', () => {
  const { failed, between, rates, end } = storm(1200, (now) => (now < 10_000 ? 20 : Infinity));
  expect(failed).toBe(0);
  expect(between(0, 30)).toBeGreaterThan(1000);
  expect(between(2000, 10_000)).toBeGreaterThan(10);
  expect(between(2000, 10_000)).toBeLessThan(25);
  expect(between(10_000, 20_000)).toBeGreaterThan(60);
  expect(rates.at(-1)).toBe(Infinity);
  expect(end).toBeLessThan(30_000);
});
