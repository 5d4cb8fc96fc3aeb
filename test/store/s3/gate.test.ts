import fc from 'fast-check';
import { VirtualTimeScheduler } from 'rxjs';
import { clockOf } from '../../../src/flow/index.js';
import { Gate, type GateOptions, type Pass } from '../../../src/store/s3/gate.js';

function world(options: Partial<GateOptions> = {}) {
  const time = new VirtualTimeScheduler();
  const gate = new Gate({ places: 2, clock: clockOf(time), paced: true, longestHold: 20_000, ...options });
  const log: string[] = [];
  const passes = new Map<string, Pass>();
  const ask = (name: string, bucket = 'a'): (() => void) =>
    gate.enter(bucket, (pass) => {
      log.push(name);
      passes.set(name, pass);
    });
  return { time, gate, log, ask, leave: (name: string) => passes.get(name)?.leave(), passes };
}

describe('places', () => {
  test('are limited; the next request starts when one ends', () => {
    const { ask, leave, log, gate } = world();
    for (const name of ['1', '2', '3', '4']) ask(name);
    expect(log).toEqual(['1', '2']);
    expect([gate.inside, gate.waiting]).toEqual([2, 2]);
    leave('2');
    leave('2');
    expect(log).toEqual(['1', '2', '3']);
    leave('1');
    leave('3');
    leave('4');
    expect(log).toEqual(['1', '2', '3', '4']);
    expect([gate.inside, gate.waiting]).toEqual([0, 0]);
  });

  test('go to the buckets in turn, and to the requests of a bucket in order', () => {
    const { ask, leave, log } = world({ places: 1 });
    for (const name of ['a1', 'a2', 'a3', 'a4']) ask(name, 'a');
    for (const name of ['b1', 'b2']) ask(name, 'b');
    ask('c1', 'c');
    for (let i = 0; i < 7; i++) leave(log.at(-1)!);
    expect(log).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
  });

  test('are not given to a withdrawn request, and withdrawing one that is inside changes nothing', () => {
    const { ask, leave, log, gate } = world({ places: 1 });
    const first = ask('1');
    const second = ask('2');
    ask('3');
    second();
    second();
    first();
    expect([gate.inside, gate.waiting]).toEqual([1, 1]);
    leave('1');
    expect(log).toEqual(['1', '3']);
  });

  test('are never exceeded nor lost, in any order of events', () => {
    const step = fc.record({
      kind: fc.constantFrom('ask', 'leave', 'withdraw'),
      which: fc.nat(50),
      bucket: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 5 }), (steps, places) => {
        const { ask, gate, passes, log } = world({ places });
        const withdrawals: (() => void)[] = [];
        const inside = (): string[] => log.filter((name) => !left.has(name));
        const left = new Set<string>();
        let withdrawn = 0;
        steps.forEach(({ kind, which, bucket }, i) => {
          if (kind === 'ask') withdrawals.push(ask(String(i), String(bucket)));
          if (kind === 'leave' && inside().length > 0) {
            const name = inside()[which % inside().length]!;
            left.add(name);
            passes.get(name)?.leave();
          }
          if (kind === 'withdraw' && withdrawals.length > 0) {
            const before = gate.waiting;
            withdrawals[which % withdrawals.length]?.();
            withdrawn += before - gate.waiting;
          }
          expect(gate.inside).toBe(inside().length);
          expect(gate.inside).toBeLessThanOrEqual(places);
          if (gate.waiting > 0) expect(gate.inside).toBe(places);
          expect(log.length + gate.waiting + withdrawn).toBe(withdrawals.length);
        });
      }),
    );
  });
});

describe('pace', () => {
  /** A bucket that was throttled at 100 requests a second: 50 may start. */
  const slowed = (options: Partial<GateOptions> = {}) => {
    const all = world({ places: 1000, ...options });
    for (let i = 0; i < 25; i++) all.ask(`burst ${i}`);
    all.passes.get('burst 0')?.answered('throttled');
    for (let i = 0; i < 25; i++) all.leave(`burst ${i}`);
    all.log.length = 0;
    return all;
  };

  test('of a bucket that throttles is halved; its requests continue by the clock', () => {
    const told: [string, number][] = [];
    const { ask, log, time } = slowed({ onPace: (bucket, rate) => told.push([bucket, rate]) });
    for (let i = 0; i < 10; i++) ask(String(i));
    expect(told).toEqual([['a', 50]]);
    expect(log).toEqual([]);
    const at: number[] = [];
    time.schedule(function look() {
      at.push(log.length);
      if (time.now() < 190) this.schedule(undefined, 20);
    }, 19);
    time.flush();
    expect(at).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(log).toHaveLength(10);
  });

  test('does not slow down other buckets', () => {
    const { ask, log } = slowed();
    ask('slow', 'a');
    ask('other', 'b');
    expect(log).toEqual(['other']);
  });

  test('is reported when it is lifted, once', () => {
    const told: [string, number][] = [];
    const { ask, leave, passes, time } = slowed({ onPace: (bucket, rate) => told.push([bucket, rate]) });
    const clock = clockOf(time);
    let n = 0;
    const next = (): void => {
      const name = `again ${n++}`;
      ask(name);
      clock.after(100, () => {
        passes.get(name)?.answered('otherwise');
        leave(name);
        if (n < 400) next();
      });
    };
    next();
    time.flush();
    expect(told).toEqual([
      ['a', 50],
      ['a', Infinity],
    ]);
  });

  test('waits for the time of Retry-After', () => {
    const { ask, log, passes, leave, time } = world({ places: 10 });
    ask('1');
    passes.get('1')?.answered('throttled', 7000);
    leave('1');
    ask('2');
    let early = -1;
    time.schedule(() => (early = log.length), 6999);
    time.flush();
    expect(early).toBe(1);
    expect(log).toEqual(['1', '2']);
    expect(time.now()).toBe(7000);
  });

  test('does not wait longer than its limit, whatever the server asks for', () => {
    const { ask, log, passes, leave, time } = world({ places: 10, longestHold: 9000 });
    ask('1');
    passes.get('1')?.answered('throttled', 30 * 86_400_000);
    leave('1');
    ask('2');
    time.flush();
    expect(log).toEqual(['1', '2']);
    expect(time.now()).toBe(9000);
  });

  test('can be turned off', () => {
    const { ask, log, passes } = world({ places: 10, paced: false });
    ask('1');
    passes.get('1')?.answered('throttled', 7000);
    ask('2');
    expect(log).toEqual(['1', '2']);
  });

  test('leaves no timer after the last waiting request', () => {
    const { ask, time } = slowed();
    ask('1')();
    time.flush();
    expect(time.now()).toBe(0);
  });
});
