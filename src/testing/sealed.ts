import type { Restored } from '../flow/index.js';
import type { TestAttempt } from './testAttempt.js';

/** What each participant finds after a claim on top of checkpoint `from`: open committables are pending. */
export function sealed(attempt: TestAttempt, from: number): ReadonlyMap<string, Restored> {
  return new Map(
    [...attempt.participants.keys()].map((id) => {
      const frozen = attempt.acked(from, id);
      return [id, { snapshot: frozen?.snapshot, pending: pendingOf(attempt, id, from, frozen?.open ?? []) }];
    }),
  );
}

/** The committables that the manifest of `checkpoint` carries for a sink. */
export function pendingOf(
  attempt: TestAttempt,
  id: string,
  checkpoint: number,
  open: Restored['pending'],
): Restored['pending'] {
  const restored = attempt.restored(id)?.pending ?? [];
  const carried = new Map(restored.map((each) => [each.uid, each]));
  for (const each of attempt.trace) {
    if (each.type === 'ack' && each.id === id && each.checkpoint <= checkpoint) {
      for (const closed of each.frozen.closed ?? []) carried.set(closed.uid, closed);
    } else if (each.type === 'confirm') carried.delete(each.uid);
    else if (each.type === 'amend' && carried.has(each.committable.uid))
      carried.set(each.committable.uid, each.committable);
  }
  for (const each of open) carried.set(each.uid, each);
  return [...carried.values()];
}
