import fc from 'fast-check';
import { SimulatedClock } from '../../src/testing/index.js';
import type { StallEvent, Wait } from '../../src/job/stalls.js';
import { StallWatch } from '../../src/job/stallWatch.js';

const after = 30_000;

/** A watch over waits that a test begins and ends. */
function watched({ afterMs }: { readonly afterMs: number | undefined } = { afterMs: after }) {
  const clock = new SimulatedClock();
  const waits = new Map<string, Wait>();
  const reported: string[] = [];
  const watch = new StallWatch({
    job: 'test',
    clock,
    afterMs,
    waits: () => [...waits.values()],
    report: ({ type, waiting, forMs }: StallEvent) => {
      reported.push(`${clock.now()} ${type} ${waiting.on === 'input' ? waiting.source : ''} ${forMs}`);
    },
  });
  const waitsFor = (who: string, since = clock.now()): void => {
    waits.set(who, { who, since, waiting: { on: 'input', source: who, input: 'bytes' } });
    watch.nudge();
  };
  const goesOn = (who: string): void => {
    waits.delete(who);
    watch.nudge();
  };
  return {
    clock,
    reported,
    watch,
    waitsFor,
    goesOn,
    advance: (milliseconds: number): void => {
      let over = false;
      // The watch yields once before it looks.
      clock.after(milliseconds, () => clock.yield(() => clock.yield(() => (over = true))));
      clock.run(() => over);
    },
  };
}

test('a wait is reported once, after its time, and its end', () => {
  const { waitsFor, goesOn, advance, reported } = watched();
  waitsFor('a');
  advance(after - 1);
  expect(reported).toEqual([]);
  advance(1_000_000);
  expect(reported).toEqual(['30000 stalled a 30000']);
  goesOn('a');
  expect(reported.slice(1)).toEqual([`${after - 1 + 1_000_000} resumed a ${after - 1 + 1_000_000}`]);
});

test('a wait that began later is reported later, and one that ended in time is not', () => {
  const { waitsFor, advance, reported } = watched();
  waitsFor('a');
  waitsFor('b');
  advance(10_000);
  waitsFor('b');
  advance(25_000);
  waitsFor('b');
  advance(29_999);
  expect(reported).toEqual(['30000 stalled a 30000']);
  advance(1);
  expect(reported.slice(1)).toEqual(['65000 stalled b 30000']);
});

test('repeated stalls of one waiter are reported at growing intervals', () => {
  const { waitsFor, advance, reported } = watched();
  for (let turn = 0; turn < 1000; turn++) {
    waitsFor('a');
    advance(45_000);
  }
  waitsFor('a');
  expect(reported).toEqual(['30000 stalled a 30000', '45000 resumed a 45000']);
  advance(60_000);
  expect(reported.slice(2)).toEqual(['45060000 stalled a 60000']);
});

test('no timer runs while nothing waits, while all waits are reported, and after the end', () => {
  const { waitsFor, goesOn, clock, watch } = watched();
  watch.nudge();
  expect(clock.step()).toBe(false);
  waitsFor('a');
  clock.run();
  goesOn('a');
  expect(clock.step()).toBe(false);
  waitsFor('b');
  watch.close();
  expect(clock.step()).toBe(false);
});

test('without a time limit nothing is watched', () => {
  const { waitsFor, clock, reported } = watched({ afterMs: undefined });
  waitsFor('a');
  expect(clock.step()).toBe(false);
  expect(reported).toEqual([]);
});

test('for any sequence of waits, each is reported exactly when its time limit has passed', () => {
  const step = fc.record({ who: fc.constantFrom('a', 'b', 'c'), waits: fc.boolean(), pause: fc.nat(40_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { waitsFor, goesOn, advance, clock, reported } = watched();
      const patience = new Map<string, number>();
      const since = new Map<string, number>();
      const expected: string[] = [];
      const ends = (who: string): void => {
        const began = since.get(who);
        const may = patience.get(who) ?? after;
        since.delete(who);
        if (began === undefined || clock.now() - began < may) return;
        patience.set(who, 2 * may);
        expected.push(`${began + may} stalled ${who} ${may}`);
        expected.push(`${clock.now()} resumed ${who} ${clock.now() - began}`);
      };
      for (const { who, waits, pause } of [
        ...steps,
        ...['a', 'b', 'c'].map((who) => ({ who, waits: false, pause: 0 })),
      ]) {
        ends(who);
        if (waits) {
          since.set(who, clock.now());
          waitsFor(who);
        } else goesOn(who);
        advance(pause);
      }
      expect(reported.sort()).toEqual(expected.sort());
    }),
  );
});
