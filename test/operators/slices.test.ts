/** Operators that emit many records on their own do it in slices, as terminals have room. */
import { NEVER, Subject } from 'rxjs';
import {
  barrier,
  end,
  endAgain,
  isSignal,
  open,
  outflows,
  signal,
  watermark,
  type CheckpointReason,
  type FlowOperator,
  type Service,
  type Signal,
} from '../../src/flow/index.js';
import { keyed } from '../../src/operators/keyed.js';
import { reduceByKey } from '../../src/operators/reduceByKey.js';
import { CreditLedger } from '../../src/sources/creditLedger.js';
import { timers } from '../../src/state/index.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import { checkpointData } from '../../src/store/services.js';
import { SimulatedClock, TestAttempt } from '../../src/testing/index.js';
import { dataOn } from '../state/harness.js';

const count = 10_000;

/** The operator with a record a key, and a terminal that releases only what it is asked to. */
function full(operator: FlowOperator<number, number>) {
  const clock = new SimulatedClock();
  const ledger = new CreditLedger(() => undefined);
  const services = new Map<Service<unknown>, unknown>([
    [outflows, ledger],
    [checkpointData, dataOn(createMemoryStore())],
  ]);
  const attempt = new TestAttempt({ clock, services });
  const input = new Subject<number | Signal>();
  const seen = { records: [] as number[], signals: [] as string[], most: 0 };
  let underway = 0;
  let release: (() => void) | undefined;
  const subscription = input.pipe(operator).subscribe((value) => {
    if (!isSignal(value)) {
      seen.records.push(value);
      seen.most = Math.max(seen.most, ++underway);
    } else if (value[signal] === 'open') ledger.terminal('out', value.sources);
    else if (value[signal] === 'credit')
      release = () => {
        underway = 0;
        ledger.release('out', value);
      };
    else seen.signals.push(value[signal]);
  });
  input.next(open(['in'], attempt));
  for (let n = 0; n < count; n++) input.next(n);
  seen.most = underway = 0;
  const drain = (): void => {
    do {
      release?.();
      release = undefined;
      clock.advance(0);
    } while (release !== undefined);
  };
  const pass = (checkpoint: number, reason: CheckpointReason = 'periodic'): void => {
    input.next(barrier(checkpoint, reason, () => undefined, NEVER));
  };
  return { input, seen, clock, drain, pass, subscription };
}

const all = Array.from({ length: count }, (_, n) => n);
const last = () => reduceByKey('last', { key: (n: number) => n, accumulator: (_, n) => n, seed: 0 });
const timed = () =>
  keyed('timed', {
    key: (n: number) => n,
    state: { due: timers('event') },
    onRecord: (n, { due }): number[] => {
      due.set(n);
      return [];
    },
    onTimer: ({ at }) => [at],
  });

test.each([
  ['reduceByKey, at the end', last, end],
  ['timers, at the end', timed, end],
  ['timers, at a watermark', timed, watermark(count)],
])('%s: a slice waits for the terminals, and what follows waits for all', (_, operator, flush) => {
  const { input, seen, clock, drain, pass } = full(operator());
  input.next(flush);
  pass(1);
  for (let i = 0; i < 100; i++) clock.advance(0);
  expect(seen.records.length).toBeLessThan(2000);
  expect(seen.signals).toEqual([]);
  drain();
  expect(seen.records.sort((a, b) => a - b)).toEqual(all);
  expect(seen.most).toBeLessThan(2000);
  expect(seen.signals).toEqual([flush[signal], 'barrier']);
});

test('what was emitted before the restored checkpoint is not emitted again', () => {
  const { input, seen, drain } = full(last());
  input.next(endAgain);
  drain();
  expect(seen).toMatchObject({ records: [], signals: ['end'] });
});

test('nothing is emitted after a teardown', () => {
  const { input, seen, drain, subscription } = full(last());
  input.next(end);
  const before = seen.records.length;
  subscription.unsubscribe();
  drain();
  expect(seen.records).toHaveLength(before);
});

describe('processing timers that are due together', () => {
  const due = () => {
    const run = full(
      keyed('timed', {
        key: (n: number) => n,
        state: { due: timers('processing') },
        onRecord: (_, { due }): number[] => {
          due.set(1);
          return [];
        },
        onTimer: ({ key }) => [key],
      }),
    );
    run.clock.advance(1);
    expect(run.seen.records.length).toBeLessThan(2000);
    return run;
  };

  it('fire in slices, between which barriers pass', () => {
    const { seen, drain, pass } = due();
    pass(1);
    expect(seen.signals).toEqual(['barrier']);
    drain();
    expect(seen.records.sort((a, b) => a - b)).toEqual(all);
    expect(seen.most).toBeLessThan(2000);
  });

  it('do not fire after the last barrier', () => {
    const { seen, drain, pass } = due();
    pass(1, 'stop');
    const before = seen.records.length;
    drain();
    expect(seen.records).toHaveLength(before);
  });
});
