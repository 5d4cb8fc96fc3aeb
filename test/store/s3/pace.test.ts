import fc from 'fast-check';
import {
  answered,
  freePace,
  leastRate,
  started,
  throttled,
  waitOf,
  type Pace,
} from '../../../src/store/s3/pace.js';

/** The possible events: time passes, a request starts if it may, one in flight is answered. */
const events = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(2000) }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('start' as const), count: fc.integer({ min: 1, max: 60 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('answer' as const), which: fc.nat(1000) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('throttle' as const),
        which: fc.nat(1000),
        after: fc.nat(5000),
      }),
    },
  ),
  { maxLength: 120 },
);
type Event = (typeof events extends fc.Arbitrary<infer E> ? E : never)[number];

/** Plays events from the beginning; `look` sees each state and what led to it. */
function play(
  all: readonly Event[],
  look: (pace: Pace, now: number, before: Pace, event: Event) => void = () => undefined,
) {
  let pace = freePace;
  let now = 1_000_000;
  const under: number[] = [];
  for (const event of all) {
    const before = pace;
    if (event.kind === 'pass') now += event.ms;
    else if (event.kind === 'start') {
      for (let i = 0; i < event.count && waitOf(pace, now) === 0; i++) {
        pace = started(pace, now);
        under.push(now);
      }
    } else {
      const [since] = under.splice(event.which % Math.max(1, under.length), 1);
      if (since === undefined) continue;
      pace = event.kind === 'answer' ? answered(pace, now, since) : throttled(pace, now, since, event.after);
    }
    look(pace, now, before, event);
  }
  return { pace, now };
}

test('never starves: whatever has happened, the next request starts within a second, or when Retry-After is over', () => {
  fc.assert(
    fc.property(events, (all) => {
      play(all, (pace, now) => {
        const wait = waitOf(pace, now);
        expect(wait).toBeLessThanOrEqual(Math.max(1000 / leastRate, pace.heldUntil - now));
        expect(waitOf(pace, now + Math.ceil(wait))).toBe(0);
      });
    }),
  );
});

test('is bounded: a limit is at least one request a second, and below twice the rate that was too much', () => {
  fc.assert(
    fc.property(events, (all) => {
      play(all, (pace) => {
        if (pace.rate === Infinity) return;
        expect(pace.rate).toBeGreaterThanOrEqual(leastRate);
        expect(pace.rate).toBeLessThan(2 * pace.peak);
      });
    }),
  );
});

test('falls: a throttled answer to a request that started since the last cut cuts the rate; older ones do not again', () => {
  fc.assert(
    fc.property(events, (all) => {
      const { pace, now } = play(all);
      const before = started(pace, now);
      const cut = throttled(before, now + 10, now);
      if (now < before.cutAt) expect(cut.rate).toBe(before.rate);
      else expect(cut.rate).toBeLessThanOrEqual(Math.max(leastRate, before.rate / 2));
      expect(throttled(cut, now + 20, now).rate).toBe(cut.rate);
      expect(throttled(cut, now + 20, now + 15).rate).toBeLessThanOrEqual(Math.max(leastRate, cut.rate / 2));
    }),
  );
});

test('recovers: seventeen seconds of good answers lift every limit', () => {
  fc.assert(
    fc.property(events, (all) => {
      let { pace, now } = play(all);
      now = Math.max(now, pace.heldUntil);
      for (const end = now + 17_000; now < end; now += 100) {
        if (waitOf(pace, now) === 0) pace = started(pace, now);
        pace = answered(pace, now, now);
      }
      expect(pace.rate).toBe(Infinity);
    }),
  );
});

test('answers to requests from before the cut prove nothing', () => {
  const burst = Array.from({ length: 40 }).reduce<Pace>((pace) => started(pace, 0), freePace);
  const cut = throttled(burst, 100, 0);
  expect(answered(cut, 5000, 0)).toBe(cut);
  expect(answered(cut, 5000, 200).rate).toBeGreaterThan(cut.rate);
});

test('requests are sent at the rate of the limit while it holds', () => {
  const burst = Array.from({ length: 25 }).reduce<Pace>((pace) => started(pace, 0), freePace);
  let pace = throttled(burst, 0, 0);
  expect(pace.rate).toBe(50);
  let sent = 0;
  for (let now = 0; now < 4000; now++) {
    while (waitOf(pace, now) === 0) {
      pace = started(pace, now);
      sent++;
    }
  }
  expect(sent).toBeGreaterThanOrEqual(198);
  expect(sent).toBeLessThanOrEqual(202);
});

/** A client that always has another request, at a server that tolerates `capacity` requests a second and answers after 20 ms. */
function simulate(capacity: number, seconds: number) {
  let pace = freePace;
  let tokens = capacity / 10;
  const done = { answered: 0, throttled: 0 };
  const under: { at: number; since: number; ok: boolean }[] = [];
  for (let now = 0; now < seconds * 1000; now++) {
    tokens = Math.min(capacity / 10, tokens + capacity / 1000);
    while (under[0] !== undefined && under[0].at <= now) {
      const { since, ok } = under.shift()!;
      pace = ok ? answered(pace, now, since) : throttled(pace, now, since);
      if (now >= 5000) done[ok ? 'answered' : 'throttled']++;
    }
    while (under.length < 50 && waitOf(pace, now) === 0) {
      pace = started(pace, now);
      const ok = tokens >= 1;
      if (ok) tokens--;
      under.push({ at: now + 20, since: now, ok });
    }
  }
  return { rate: done.answered / (seconds - 5), refused: done.throttled / (done.answered + done.throttled) };
}

test.each([20, 100, 500, 2000])(
  'a server that tolerates %i requests a second gets most of them, and few more',
  (capacity) => {
    const { rate, refused } = simulate(capacity, 65);
    expect(rate).toBeGreaterThan(0.6 * capacity);
    expect(refused).toBeLessThan(0.1);
  },
);
