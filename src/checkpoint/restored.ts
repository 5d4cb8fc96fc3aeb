import type { Restored } from '../flow/index.js';
import { droppedInUse, droppedPending, vanished } from './errors.js';
import type { Manifest } from './manifest.js';

/** The ids for which a claim holds state or unpublished output. */
export function idsOf({ operators, pending }: Manifest): string[] {
  const held = Object.entries(operators)
    .filter(([, { snapshot, objects }]) => snapshot !== undefined || objects.length > 0)
    .map(([id]) => id);
  return [...new Set([...held, ...pending.map(({ sink }) => sink)])];
}

export function restoredOf({ operators, pending }: Manifest, id: string): Restored | undefined {
  const operator = Object.hasOwn(operators, id) ? operators[id] : undefined;
  const mine = pending.filter(({ sink }) => sink === id).map(({ committable }) => committable);
  return operator === undefined && mine.length === 0
    ? undefined
    : {
        snapshot: operator?.snapshot,
        pending: mine,
        ...(operator?.ended === true ? { ended: true } : {}),
      };
}

/**
 * Checks that the registered operators continue all restored state, except that of `allowDropped`. Errors:
 * `VanishedOperator`, `DroppedOperator`, `DroppedPending`.
 */
export function checkIds(
  manifest: Manifest,
  registered: ReadonlyMap<string, unknown>,
  allowDropped: readonly string[] = [],
  ignoreUnclaimed = false,
): void {
  const dropped = new Set(allowDropped);
  const kept = [...dropped].filter((id) => registered.has(id));
  if (kept.length > 0) throw droppedInUse(kept);
  const gone = idsOf(manifest).filter((id) => !registered.has(id) && !dropped.has(id));
  if (gone.length > 0 && !(ignoreUnclaimed && isUnchanged(manifest))) throw vanished(gone);
  const pending = manifest.pending.filter(({ sink }) => dropped.has(sink));
  if (pending.length > 0) throw droppedPending(pending);
}

/** Whether the log holds what was in its savepoint, and no checkpoint of its own. */
function isUnchanged({ from, checkpoint }: Manifest): boolean {
  return from?.checkpoint === checkpoint;
}
