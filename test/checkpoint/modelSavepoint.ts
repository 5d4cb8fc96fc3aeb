import type { LogEvent } from '#src/checkpoint/logState.js';
import type { Attempt, Tell, World } from './model.js';
import { update } from './modelAttempt.js';

/** The savepoint that a log begins with: its URI, and its objects with who wrote them. */
export const origin = 'savepoint/';
const originals = ['data/0/a', 'data/0/b'];
const by = 'S';

/** Copies one object of the savepoint that the log begins with, or answers that all are there. */
export function adopting(
  world: World,
  i: number,
  answered: (answer: LogEvent, base: World) => World,
): [string, World][] {
  const attempt = world.attempts[i]!;
  if (attempt.asked?.type !== 'adopt') return [];
  const left = originals.filter((key) => !attempt.adopted.includes(key));
  if (left.length > 0)
    return left.map((key) => [
      `copies ${key} of the savepoint`,
      update({ ...world, objects: new Map(world.objects).set(key, by) }, i, {
        ...attempt,
        adopted: [...attempt.adopted, key].sort(),
      }),
    ]);
  const source = { kind: 'source', snapshot: { position: 1, by }, open: [], objects: originals } as const;
  const draft = {
    ...{ checkpoint: 1, operators: { in: source }, final: false },
    from: { uris: [origin], checkpoint: 1 },
  };
  return [['has copied the savepoint', answered({ type: 'adopted', draft }, world)]];
}

/** Copies one object into a savepoint, or writes its root. */
export function copying(world: World, i: number, sends: Tell): [string, World][] {
  const attempt = world.attempts[i]!;
  const { copying: copy } = attempt;
  if (copy === undefined) return [];
  const { left, ...root } = copy;
  const over: Partial<Attempt> = { copying: undefined };
  if (left.length === 0)
    return [
      [
        `writes the root of ${root.uri}`,
        sends({ type: 'savepointed' }, { ...world, roots: [...world.roots, root] }, over),
      ],
    ];
  return left.map((key) => {
    if (!world.objects.has(key)) return [`misses ${key}`, missed(world, i, key, sends, over)];
    const rest = { ...copy, left: left.filter((each) => each !== key) };
    return [`copies ${key}`, update(world, i, { ...attempt, copying: rest })];
  });
}

/** Only an attempt that has a successor may find that an object is gone: then the savepoint fails. */
function missed(world: World, i: number, key: string, sends: Tell, over: Partial<Attempt>): World {
  const { nonce, state } = world.attempts[i]!;
  const failed = sends({ type: 'savepointed' }, world, over);
  const isNewest = world.slots.at(-1)?.epoch === state.log.last?.manifest.epoch;
  return isNewest ? { ...failed, wrong: `${nonce} has deleted ${key}, which its savepoint needs` } : failed;
}
