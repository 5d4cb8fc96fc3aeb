import type { Committable } from '../flow/index.js';
import type { Draft, Inventory } from './inventory.js';
import type { LogState } from './logState.js';
import type { Manifest } from './manifest.js';

/**
 * The committables that each sink may publish now: those of this entry that are not confirmed, in its versions. An amended version
 * must be durable itself before it is published.
 *
 * @param asDurable `false`: the newest versions, for the model checker
 */
export function toPublish(
  manifest: Manifest,
  inventory: Inventory,
  asDurable: boolean,
): Map<string, Committable[]> {
  const unconfirmed = new Map(inventory.pending.map(({ committable }) => [committable.uid, committable]));
  const bySink = new Map<string, Committable[]>();
  for (const { sink, committable } of manifest.pending) {
    const newest = unconfirmed.get(committable.uid);
    if (newest === undefined) continue;
    const list = bySink.get(sink) ?? [];
    bySink.set(sink, list);
    list.push(asDurable ? committable : newest);
  }
  return bySink;
}

/** Whether a sink publishes nothing until an entry has a committable that it has amended, and none is being written. */
export function isHeldUp({ phase, last, inventory }: LogState): boolean {
  if (phase !== 'owned' || last === undefined) return false;
  const written = new Set(last.manifest.pending.map(({ committable }) => committable));
  return inventory.pending.some(({ committable, alone }) => alone === true && !written.has(committable));
}

/**
 * The next step of settling. If nothing is pending and all garbage is deleted, the log is settled. If everything
 * pending in the newest entry has been confirmed or amended, or waits for what was, the next entry is due. Otherwise it waits
 * for sinks, to write few entries.
 */
export function settlement({
  phase,
  last,
  next,
  inventory,
}: LogState): Draft | 'waiting' | { readonly manifest: Manifest } {
  if (phase !== 'owned' || last === undefined || next !== undefined) return 'waiting';
  const { pending, checkpoint, operators, finished = false } = last.manifest;
  if (pending.length === 0) return inventory.deleting.length > 0 ? 'waiting' : { manifest: last.manifest };
  const unmoved = new Set(inventory.pending.map(({ committable }) => committable));
  const written = new Set(pending.map(({ committable }) => committable));
  const held = new Set(
    inventory.pending.flatMap(({ sink, committable, alone }) =>
      alone === true && !written.has(committable) ? sink : [],
    ),
  );
  return pending.some(({ sink, committable }) => unmoved.has(committable) && !held.has(sink))
    ? 'waiting'
    : { checkpoint, operators, final: finished };
}
