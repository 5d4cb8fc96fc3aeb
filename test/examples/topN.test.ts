import fc from 'fast-check';
import { checkLaws, lawInputs, memoryServices } from 'millrace/testing';
import { topN, type Ranking } from '../../examples/topN.js';
import { createLake, published, runUntil } from './lake.js';

interface Play {
  readonly game: string;
  readonly points: number;
}

const topTwo = () =>
  topN<Play, string>('best', { n: 2, key: ({ game }) => game, score: ({ points }) => points });

const plays: readonly Play[] = [3, 5, 4, 4, 1, 6, 5].flatMap((points) => [
  { game: 'chess', points },
  { game: 'go', points: 10 - points },
]);

/** What there is to see, worked out without the operator. */
const rankings: readonly Ranking<Play, string>[] = plays.flatMap(({ game }, i) => {
  const best = (count: number): readonly Play[] =>
    plays
      .slice(0, count)
      .filter((play) => play.game === game)
      .sort((a, b) => b.points - a.points)
      .slice(0, 2);
  const [before, after] = [best(i), best(i + 1)];
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ key: game, top: after }];
});

test('it ranks, and emits what has changed', () => {
  const lake = createLake(plays);
  runUntil(lake, Infinity, topTwo());
  expect(rankings.length).toBeLessThan(plays.length);
  expect(published(lake)).toEqual(rankings);
});

test('it keeps the laws', () => {
  const play = fc.record({ game: fc.constantFrom('chess', 'go'), points: fc.nat(9) });
  fc.assert(
    fc.property(lawInputs(fc, play), (input) =>
      checkLaws(topTwo, input, { services: () => memoryServices() }),
    ),
  );
});

test('after a crash at any request, the next run publishes every ranking once', () => {
  const restored: number[] = [];
  let n = 0;
  for (let finished = false; !finished;) {
    const lake = createLake(plays);
    finished = runUntil(lake, ++n, topTwo()).some(({ type }) => type === 'finished');
    for (const event of runUntil(lake, Infinity, topTwo()))
      if (event.type === 'running') restored.push(event.checkpoint);
    expect([n, published(lake)]).toEqual([n, rankings]);
  }
  // Many of the crashes were in the middle: the restored rankings continued.
  expect(new Set(restored).size).toBeGreaterThan(3);
});

test('it rejects an n of 0', () => {
  expect(() => topN('best', { n: 0, key: () => 'k', score: () => 0 })).toThrow(
    expect.objectContaining({ code: 'InvalidOption' }),
  );
});
