import type { Committable } from '#src/flow/index.js';
import { references } from '#src/checkpoint/manifest.js';
import type { Published, Root, World } from './model.js';
import { fieldOf, positionOf, unitsOf, uploadOf } from './modelStore.js';

/**
 * What must hold at every moment, as a crash may come at any moment: a job that restores the newest entry, publishes
 * what is pending there, and continues from its position, produces every unit exactly once.
 */
export function violation(world: World, amends: boolean): string | undefined {
  if (world.wrong !== undefined) return world.wrong;
  const newest = world.slots.at(-1);
  if ((newest?.n ?? 0) !== world.highest) return `the newest entry, ${world.highest}, was deleted`;
  const position = newest === undefined ? world.begins : positionOf(newest);
  const pending: Committable[] = newest?.pending.map(({ committable }) => committable) ?? [];
  pending.push(...(newest?.operators['out']?.open ?? []));
  const unamended = (committable: Committable): boolean => amends && committable['by'] !== undefined;
  const times = new Map<number, number>();
  const count = ({ from, to }: { readonly from: number; readonly to: number }): void => {
    for (let unit = from; unit < to; unit++) times.set(unit, (times.get(unit) ?? 0) + 1);
  };
  for (const [uid, units] of world.published) {
    if (units.times > 1) return `file ${uid} is published twice`;
    count(units);
  }
  for (const committable of pending) {
    const { uid } = committable;
    if (world.published.has(uid)) {
      if (unamended(committable))
        return `file ${uid} is published, and will be again: the newest entry does not know how`;
      continue;
    }
    // What was open has no upload before it is amended; until then its journals count.
    const upload = unamended(committable) ? undefined : uploadOf(committable);
    if (upload !== undefined && !world.uploads.has(upload))
      return `upload ${upload}, pending in the newest entry, is gone`;
    count(unitsOf(committable));
  }
  for (const root of world.roots) {
    const wrong = misplaced(root, [...world.published.values()]);
    if (wrong !== undefined) return wrong;
  }
  for (let unit = 0; unit < position; unit++) {
    if (!times.has(unit)) return `unit ${unit} is lost: the newest entry reads on from ${position}`;
  }
  for (const [unit, n] of times) {
    if (n > 1) return `unit ${unit} is published ${n} times`;
    if (unit >= position)
      return `unit ${unit} is published, and will be again: the newest entry reads on from ${position}`;
  }
  if (newest === undefined) return undefined;
  for (const key of references(newest)) {
    if (!world.objects.has(key)) return `${key}, which the newest entry refers to, was deleted`;
  }
  const source = newest.operators['in'];
  for (const key of source?.objects ?? []) {
    const by = fieldOf(source?.snapshot, 'by', '');
    if (world.objects.get(key) !== by)
      return `${key}, which the newest entry has from ${by}, was overwritten`;
  }
  for (const { by, objects = [] } of pending) {
    for (const key of objects) {
      if (by !== undefined && world.objects.get(key) !== by)
        return `${key}, which the newest entry refers to, was overwritten`;
    }
  }
  return undefined;
}

/**
 * A job that starts from a savepoint continues at its position, so what comes before must have been published by then, in
 * files that have nothing of what comes after.
 */
function misplaced({ uri, position }: Root, published: readonly Published[]): string | undefined {
  const before = published.filter(({ from }) => from < position);
  if (before.some(({ to }) => to > position)) return `a file spans savepoint ${uri}, at ${position}`;
  const units = before.reduce((sum, { from, to }) => sum + to - from, 0);
  return units === position
    ? undefined
    : `savepoint ${uri} begins at ${position}, and ${units} units before it are published`;
}

/** A deadlock: nothing can happen any more, but an attempt is not over. */
export function stuck({ attempts }: World, claims: number): string | undefined {
  const waiting = attempts.find(
    ({ state, over }) =>
      !over && state.phase !== 'failed' && !(state.log.phase === 'listing' && state.log.serial >= claims),
  );
  return waiting && `${waiting.nonce} waits forever`;
}
