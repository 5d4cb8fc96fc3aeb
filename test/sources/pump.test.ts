import fc from 'fast-check';
import { NEVER, Observable, Subject, switchMap, take, VirtualTimeScheduler } from 'rxjs';
import { clockOf, isSignal, signal, type Clock, type Json, type Signal } from '../../src/flow/index.js';
import { ndjson } from '../../src/formats/ndjson.js';
import { text } from '../../src/formats/text.js';
import { files } from '../../src/sources/files.js';
import { SourcePump } from '../../src/sources/pump.js';
import type { DeadLetter, Source, SourceContext } from '../../src/sources/source.js';
import { decorate } from '../../src/store/decorators/decorate.js';
import { StoreError } from '../../src/store/errors.js';
import type { ObjectStore } from '../../src/store/objectStore.js';
import { attemptOver, memoryWith, slicedFiles } from './harness.js';

// The machine may be busy with other tests.
const lines = (n: number): string => Array.from({ length: n }, (_, i) => `line ${i}\n`).join('');

/** A pump in virtual time, with everything it sends and reports. */
function pumped<T>(
  source: Source<T>,
  store: ObjectStore,
  options: { budget?: number; position?: Json; on?: (value: T | Signal) => void } = {},
) {
  const scheduler = new VirtualTimeScheduler();
  const attempt = attemptOver(store, clockOf(scheduler), options.position);
  const sent: (T | Signal)[] = [];
  const letters: (DeadLetter | Signal)[] = [];
  const said: unknown[] = [];
  const pump = new SourcePump<T>({
    id: 'in',
    source,
    attempt,
    ...(options.budget === undefined ? {} : { budget: options.budget }),
    records: {
      next: (value) => {
        sent.push(value);
        options.on?.(value);
      },
    },
    letters: { next: (value) => letters.push(value) },
    ended: () => said.push('ended'),
    failed: (error) => said.push(error),
  });
  const records = (): T[] => sent.filter((value): value is T => !isSignal(value));
  return { pump, attempt, scheduler, sent, letters, said, records, run: () => scheduler.flush() };
}

/** Signals by their names, records as they are. */
const shown = (values: readonly unknown[]): unknown[] =>
  values.map((value) => (isSignal(value) ? value[signal] : value)).filter((value) => value !== 'credit');

describe('the pump', () => {
  const source = files('memory://lake/', { format: text() });
  const small = memoryWith({ a: '1\n2\n', b: '3\n' });

  it('registers on open, sends nothing before start, then records, End, and the final barrier', () => {
    const { pump, attempt, sent, said, run } = pumped(source, small);
    pump.open();
    run();
    expect(attempt.participants.get('in')).toMatchObject({ id: 'in', kind: 'source' });
    expect(sent).toEqual([]);
    pump.start();
    run();
    expect(shown(sent)).toEqual(['1', '2', '3', 'end']);
    expect(said).toEqual(['ended']);
    pump.barrier(attempt.barrier(1, 'final').barrier);
    run();
    expect(shown(sent)).toEqual(['1', '2', '3', 'end', 'barrier']);
    const discovery = { kind: 'listed', version: 1, root: 1, last: 'b' };
    expect(attempt.acked(1, 'in')).toEqual({
      snapshot: { kind: 'files', version: 1, discovery, skipped: 0, read: { objects: 2, bytes: 6 } },
      ended: true,
    });
  });

  it.each([
    ['two milliseconds', 1, 2],
    ['32 slices, if time stands still', 0, 32],
  ])('gives I/O its turn after %s', (_, millisPerSlice, expected) => {
    const slices: number[] = [];
    let now = 0;
    const scheduler = new VirtualTimeScheduler();
    const virtual = clockOf(scheduler);
    const clock: Clock = {
      ...virtual,
      now: () => now,
      yield: (work) =>
        virtual.yield(() => {
          slices.push(0);
          work();
        }),
    };
    const pump = new SourcePump<string>({
      id: 'in',
      source: slicedFiles('memory://lake/', { format: text() }, 30),
      attempt: attemptOver(memoryWith({ a: lines(500) }), clock),
      records: {
        next: (value) => {
          if (!isSignal(value) || value[signal] !== 'credit') return;
          slices[slices.length - 1]!++;
          now += millisPerSlice;
        },
      },
      failed: (error) => {
        throw error;
      },
    });
    pump.open();
    pump.start();
    scheduler.flush();
    expect(Math.max(...slices)).toBe(expected);
  });

  /** Passes records to a callback that needs `millis` for each, and tells how many it gets without a pause. */
  function slow(of: Source<string>, store: ObjectStore, millis: number): number[] {
    const turns: number[] = [];
    let now = 0;
    const scheduler = new VirtualTimeScheduler();
    const virtual = clockOf(scheduler);
    const pump = new SourcePump<string>({
      id: 'in',
      source: of,
      attempt: attemptOver(store, {
        ...virtual,
        now: () => now,
        yield: (work) =>
          virtual.yield(() => {
            turns.push(0);
            work();
          }),
      }),
      records: {
        next: (value) => {
          if (isSignal(value)) return;
          now += millis;
          turns[turns.length - 1]!++;
        },
      },
      failed: (error) => {
        throw error;
      },
    });
    pump.open();
    pump.start();
    scheduler.flush();
    return turns;
  }

  it('callbacks that need milliseconds for a record get a few at a time, so that barriers and timers do not wait', () => {
    const turns = slow(
      files('memory://lake/', { format: text() }),
      memoryWith({ a: lines(5000), b: lines(5000) }),
      3,
    );
    // The first blocks are cut before anybody knows.
    expect(turns.filter((records) => records > 1).length).toBeLessThan(10);
    expect(Math.max(...turns)).toBeLessThanOrEqual(256);
  });

  it('fast callbacks get blocks that grow', () => {
    const turns = slow(files('memory://lake/', { format: text() }), memoryWith({ a: lines(20_000) }), 0.001);
    expect(turns.length).toBeLessThan(20_000 / 1000);
  });

  it('continues from the restored position', () => {
    const first = pumped(slicedFiles('memory://lake/', { format: text() }, 1), small, {
      on: (value) => {
        if (value === '2') first.pump.barrier(first.attempt.barrier(7).barrier);
      },
    });
    first.pump.open();
    first.pump.start();
    first.run();
    const second = pumped(source, small, { position: first.attempt.acked(7, 'in')!.snapshot! });
    second.pump.open();
    second.pump.start();
    second.run();
    expect(second.records()).toEqual(['3']);
  });

  it('every position it acks, for a barrier at any record, is that of the records sent', () => {
    const store = memoryWith({ 'a.txt': lines(40), 'b.txt': '', 'c.txt': lines(9) });
    fc.assert(
      fc.property(fc.array(fc.nat(48), { maxLength: 4 }), fc.constantFrom(1, 20, 65536), (places, slice) => {
        const sliced = slicedFiles(
          'memory://lake/*.txt',
          { format: text(), prefetch: { fragment: 11 } },
          slice,
        );
        let count = 0;
        let checkpoints = 0;
        const before: number[] = [];
        const run = pumped(sliced, store, {
          on: (value) => {
            if (isSignal(value)) {
              if (value[signal] === 'barrier') before[value.checkpoint] = count;
              return;
            }
            if (places.includes(count++)) run.pump.barrier(run.attempt.barrier(++checkpoints).barrier);
          },
        });
        run.pump.open();
        run.pump.start();
        run.run();
        const all = run.records();
        expect(all).toHaveLength(49);
        for (let n = 1; n <= checkpoints; n++) {
          const rest = pumped(sliced, store, { position: run.attempt.acked(n, 'in')!.snapshot! });
          rest.pump.open();
          rest.pump.start();
          rest.run();
          expect(rest.records()).toEqual(all.slice(before[n]));
        }
      }),
    );
  });

  it('injects a barrier at most a slice after the request, never inside a delivery', () => {
    const run = pumped(
      slicedFiles('memory://lake/', { format: text() }, 30),
      memoryWith({ a: lines(1000) }),
      {
        on: (value) => {
          if (value === 'line 500') {
            const before = run.sent.length;
            run.pump.barrier(run.attempt.barrier(1).barrier);
            expect(run.sent.length).toBe(before);
          }
        },
      },
    );
    run.pump.open();
    run.pump.start();
    run.run();
    const at = run.sent.findIndex((value) => isSignal(value) && value[signal] === 'barrier');
    const bytes = run.sent
      .slice(run.sent.indexOf('line 500'), at)
      .reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length + 1 : 0), 0);
    expect(bytes).toBeLessThanOrEqual(30);
  });

  it('is never further ahead of released credit than its budget and one slice with its last record, and continues with every release', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 100 }), (budget, slice) => {
        const store = memoryWith({ a: lines(100) });
        let outstanding = 0;
        const run = pumped(slicedFiles('memory://lake/', { format: text() }, slice), store, {
          budget,
          on: (value) => {
            outstanding += typeof value === 'string' ? value.length + 1 : 0;
            expect(outstanding).toBeLessThan(budget + slice + 8);
          },
        });
        run.pump.open();
        run.pump.start();
        for (let rounds = 0; run.said.length === 0; rounds++) {
          expect(rounds).toBeLessThan(2000);
          const sent = run.pump.sent;
          run.run();
          if (run.said.length === 0) expect(run.pump.sent).toBeGreaterThan(sent);
          outstanding = 0;
          run.pump.released(run.pump.sent);
        }
        expect(run.records()).toHaveLength(100);
        const credits = run.sent.flatMap((value) =>
          isSignal(value) && value[signal] === 'credit' ? [value.bytes] : [],
        );
        expect(credits).toEqual([...new Set(credits)].sort((a, b) => a - b));
        expect(credits.at(-1)).toBe(lines(100).length);
      }),
    );
  });

  it('injects barriers while it is blocked by credit, and while it waits for data', () => {
    const blocked = pumped(
      slicedFiles('memory://lake/', { format: text() }, 1),
      memoryWith({ a: lines(10) }),
      { budget: 1 },
    );
    blocked.pump.open();
    blocked.pump.start();
    blocked.run();
    blocked.pump.barrier(blocked.attempt.barrier(1).barrier);
    blocked.run();
    expect(shown(blocked.sent)).toEqual(['line 0', 'barrier']);

    const silent = decorate(memoryWith({ a: '1\n' }), (call, run) => (call.method === 'get' ? NEVER : run));
    const waiting = pumped(source, silent);
    waiting.pump.open();
    waiting.pump.start();
    waiting.run();
    waiting.pump.barrier(waiting.attempt.barrier(1).barrier);
    waiting.run();
    expect(shown(waiting.sent)).toEqual(['barrier']);
    expect(waiting.attempt.acked(1, 'in')).toBeDefined();
  });

  it('takes data whenever the store answers', () => {
    const answers = new Subject<void>();
    const slow = decorate(memoryWith({ a: '1\n', b: '2\n' }), (_call, run) =>
      answers.pipe(
        take(1),
        switchMap(() => run),
      ),
    );
    const { pump, records, said, run } = pumped(source, slow);
    pump.open();
    pump.start();
    for (let i = 0; i < 6; i++) {
      run();
      answers.next();
    }
    run();
    expect(records()).toEqual(['1', '2']);
    expect(said).toEqual(['ended']);
  });

  it('sends every signal to the dead letters, too, with the letters in between', () => {
    const store = memoryWith({ a: '1\nx\n2\n' });
    const policy = { deadLetter: () => NEVER };
    const { pump, attempt, letters, sent, run } = pumped(
      files('memory://lake/', { format: ndjson<number>(), onMalformed: policy }),
      store,
    );
    pump.open();
    pump.barrier(attempt.barrier(1).barrier);
    pump.start();
    run();
    expect(shown(sent)).toEqual(['barrier', 1, 2, 'end']);
    expect(shown(letters)).toMatchObject(['barrier', { text: 'x', line: 2 }, 'end']);
  });

  it('reports a failure once, frees everything and sends nothing more', () => {
    const failing = decorate(memoryWith({ a: lines(5), b: '', c: 'x' }), (call, run) =>
      call.method === 'get' && call.key === 'c'
        ? new Observable((out) => out.error(new StoreError('Unavailable', 'down')))
        : run,
    );
    const { pump, attempt, records, said, sent, run } = pumped(source, failing);
    pump.open();
    pump.start();
    run();
    expect(records()).toHaveLength(5);
    expect(said).toMatchObject([{ code: 'Unavailable', retryable: true }]);
    const before = sent.length;
    pump.barrier(attempt.barrier(1).barrier);
    run();
    expect(sent).toHaveLength(before);
  });

  it.each([
    ['MissingBucket', (call: { method: string }) => call.method === 'list'],
    ['ObjectChanged', (call: { method: string }) => call.method === 'get'],
  ])('says %s', (code, when) => {
    const failing = decorate(small, (call, run) =>
      when(call)
        ? new Observable((out) =>
            out.error(new StoreError(code === 'MissingBucket' ? 'NotFound' : 'PreconditionFailed', 'no')),
          )
        : run,
    );
    const { pump, said, run } = pumped(source, failing);
    pump.open();
    pump.start();
    run();
    expect(said).toMatchObject([{ code, retryable: false }]);
    expect(String(said[0])).toContain('memory://lake');
  });

  it('aborts every request in flight when it is closed, and stops in the middle of a slice', () => {
    let open = 0;
    const hanging = decorate(memoryWith({ a: lines(100) }), (call, run) =>
      call.method === 'get'
        ? new Observable(() => {
            open++;
            return () => {
              open--;
            };
          })
        : run,
    );
    const { pump, run } = pumped(
      files('memory://lake/', { format: text(), prefetch: { window: 2, fragment: 10 } }),
      hanging,
    );
    pump.open();
    pump.start();
    run();
    expect(open).toBe(2);
    pump.close();
    expect(open).toBe(0);

    const cut = pumped(source, memoryWith({ a: lines(100) }), {
      on: (value) => {
        if (value === 'line 3') cut.pump.close();
      },
    });
    cut.pump.open();
    cut.pump.start();
    cut.run();
    expect(cut.records()).toHaveLength(4);
    expect(cut.said).toEqual([]);
  });

  it('a source that cannot be opened, or fails before it is, is a failure of the job', () => {
    const thrower: Source<string> = {
      description: 'x',
      open: () => {
        throw new Error('no');
      },
    };
    const failer: Source<string> = {
      description: 'x',
      open: (context: SourceContext) => {
        context.fail(new Error('no'));
        return { poll: () => 'wait', position: () => null, bytes: 0, close: () => undefined };
      },
    };
    for (const bad of [thrower, failer]) {
      const { pump, said } = pumped(bad, small);
      pump.open();
      expect(said).toHaveLength(1);
    }
  });

  it('a source that calls ready inside poll is polled again', () => {
    let polls = 0;
    const eager: Source<number> = {
      description: 'x',
      open: (context: SourceContext) => ({
        poll: (out) => {
          context.ready();
          out.record(polls++);
          return polls < 3 ? 'wait' : 'end';
        },
        position: () => polls,
        bytes: 0,
        close: () => undefined,
      }),
    };
    const { pump, records, run } = pumped(eager, small);
    pump.open();
    pump.start();
    run();
    expect(records()).toEqual([0, 1, 2]);
  });

  describe('reports durable positions to the reader', () => {
    function heard(options: { position?: Json; durable?: (position: Json) => void } = {}) {
      const told: unknown[] = [];
      let next = 0;
      const source: Source<number> = {
        description: 'x',
        open: () => ({
          poll: (out) => {
            out.record(next++);
            return next < 10 ? 'more' : 'end';
          },
          position: () => next,
          bytes: 0,
          durable: (position, checkpoint) => {
            told.push([position, checkpoint]);
            options.durable?.(position);
          },
          close: () => told.push('closed'),
        }),
      };
      const run = pumped(source, small, {
        ...options,
        on: (value) => {
          if (value === 3 || value === 5 || value === 7) run.pump.barrier(run.attempt.barrier(value).barrier);
        },
      });
      run.pump.open();
      const durable = (checkpoint: number): void => run.attempt.participants.get('in')?.durable?.(checkpoint);
      return { ...run, told, durable };
    }

    it('once each, and only the newest instead of subsumed ones', () => {
      const { pump, run, told, durable } = heard();
      pump.start();
      run();
      durable(5);
      durable(5);
      durable(7);
      expect(told).toEqual([
        [6, 5],
        [8, 7],
      ]);
      pump.close();
      expect(told.at(-1)).toBe('closed');
      durable(9);
      expect(told).toHaveLength(3);
    });

    it('the restored one first', () => {
      const { told, durable } = heard({ position: 17 });
      durable(4);
      expect(told).toEqual([[17, 4]]);
      expect(heard().told).toEqual([]);
    });

    it('not while it is polled, but right after', () => {
      const order: unknown[] = [];
      const source: Source<number> = {
        description: 'x',
        open: () => ({
          poll: (out) => {
            out.record(1);
            order.push('polled');
            return 'end';
          },
          position: () => 1,
          bytes: 0,
          durable: () => order.push('durable'),
          close: () => undefined,
        }),
      };
      const run = pumped(source, small, {
        position: 0,
        on: (value) => {
          if (value === 1) run.attempt.participants.get('in')?.durable?.(1);
        },
      });
      run.pump.open();
      run.pump.start();
      run.run();
      expect(order).toEqual(['polled', 'durable']);
    });

    it('and fails with what the reader throws', () => {
      const { said, durable } = heard({
        position: 1,
        durable: () => {
          throw new Error('no');
        },
      });
      durable(4);
      expect(said).toEqual([new Error('no')]);
    });
  });

  describe('with a reader that makes no progress', () => {
    /** A reader that always returns `answer`, calls `ready`, and returns its position. */
    const idle = (
      answer: 'more' | 'wait',
      position: (poll: number) => Json,
      last = Infinity,
    ): Source<number> => ({
      description: 'files memory://lake/',
      open: ({ ready }) => {
        let polls = 0;
        return {
          poll: () => {
            if (answer === 'wait') ready();
            return ++polls < last ? answer : 'end';
          },
          position: () => position(polls),
          bytes: 0,
          close: () => undefined,
        };
      },
    });
    const here = { root: 0, object: { key: 'a.gz' } };

    it.each(['more', 'wait'] as const)(
      'fails if it returns %s endlessly, and names source and object',
      (answer) => {
        const { pump, said, run } = pumped(
          idle(answer, () => here),
          small,
        );
        pump.open();
        pump.start();
        run();
        expect(said).toMatchObject([{ code: 'SourceStuck', source: 'in', position: here, retryable: false }]);
        expect((said[0] as Error).message).toMatch(/Source 'in' \(files memory:\/\/lake\/\).*"key":"a.gz"/);
      },
    );

    it('continues while the position moves, even without records', () => {
      const { pump, said, run } = pumped(
        idle('more', (polls) => Math.floor(polls / 60_000), 500_000),
        small,
      );
      pump.open();
      pump.start();
      run();
      expect(said).toEqual(['ended']);
    });

    it('continues if it is occasionally woken without data', () => {
      // Some ten thousand polls per minute.
      let now = 0;
      let polls = 0;
      const work: (() => void)[] = [];
      const said: unknown[] = [];
      const pump = new SourcePump<number>({
        id: 'in',
        source: idle('wait', () => here, 500_000),
        attempt: attemptOver(small, {
          now: () => now,
          after: () => NEVER.subscribe(),
          yield: (each) => {
            work.push(each);
            return NEVER.subscribe();
          },
        }),
        records: { next: () => polls++ },
        ended: () => said.push('ended'),
        failed: (error) => said.push(error),
      });
      pump.open();
      pump.start();
      for (let each = work.pop(); each !== undefined; each = work.pop()) {
        now += 200;
        each();
      }
      expect(said).toEqual(['ended']);
    });
  });
});
