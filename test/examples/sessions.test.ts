import fc from 'fast-check';
import { watermarks, type Flow } from 'millrace';
import { checkLaws, lawInputs, memoryServices } from 'millrace/testing';
import { sessions, type Click, type Session } from '../../examples/sessions.js';
import { createLake, published, runUntil } from './lake.js';

const gap = 10;
const clicks: readonly Click[] = [0, 4, 9, 30, 31, 60, 61, 75].flatMap((at) => [
  { user: 'ann', at },
  { user: 'bob', at: at + (at % 2) },
]);

/** Worked out without the operator. */
const expected: readonly Session[] = ['ann', 'bob'].flatMap((user) => {
  const all: Session[] = [];
  for (const { at } of clicks.filter((click) => click.user === user)) {
    const last = all.at(-1);
    if (last === undefined || at > last.to + gap) all.push({ user, from: at, to: at, clicks: 1 });
    else all[all.length - 1] = { ...last, to: at, clicks: last.clicks + 1 };
  }
  return all;
});

const timed = (source: Flow<Click>): Flow<Session> =>
  source.pipe(watermarks('time', { timestamp: ({ at }) => at }), sessions('sessions', gap));

const inOrder = (all: readonly unknown[]): readonly string[] =>
  all.map((each) => JSON.stringify(each)).sort();

test('it finds the sessions of every user', () => {
  const lake = createLake(clicks);
  runUntil(lake, Infinity, timed);
  expect(inOrder(published(lake))).toEqual(inOrder(expected));
});

test('it keeps the laws', () => {
  const click = fc.record({ user: fc.constantFrom('ann', 'bob'), at: fc.nat(20) });
  fc.assert(
    fc.property(lawInputs(fc, click), (input) =>
      checkLaws(() => sessions('sessions', 3), input, { services: () => memoryServices() }),
    ),
  );
});

test('after a crash at any request, the next run publishes every session once', () => {
  let crashes = 0;
  for (let n = 1; ; n++) {
    const lake = createLake(clicks);
    const finished = runUntil(lake, n, timed).some(({ type }) => type === 'finished');
    if (!finished) {
      crashes++;
      runUntil(lake, Infinity, timed);
    }
    expect(inOrder(published(lake))).toEqual(inOrder(expected));
    if (finished) break;
  }
  expect(crashes).toBeGreaterThan(20);
});
