import type { Committable } from '../flow/index.js';
import type { Draft, Ledger } from './ledger.js';
import type { LogState } from './logState.js';
import type { Manifest } from './manifest.js';

/**
 * What each sink may publish now: what this very entry carries and is not confirmed yet, in the entry's version. An
 * amended version must be durable itself before it is published.
 */
export function toPublish(manifest: Manifest, ledger: Ledger): Map<string, Committable[]> {
  const unconfirmed = new Set(ledger.pending.map(({ committable }) => committable.uid));
  const bySink = new Map<string, Committable[]>();
  for (const { sink, committable } of manifest.pending) {
    if (!unconfirmed.has(committable.uid)) continue;
    const list = bySink.get(sink) ?? [];
    bySink.set(sink, list);
    list.push(committable);
  }
  return bySink;
}

/**
 * How a log settles: nothing pending and all garbage gone, and it is settled; everything pending in the newest entry has
 * been confirmed or amended, and the next entry is due; otherwise it waits for sinks, so that entries stay few.
 */
export function settlement(
  { phase, last, next, ledger }: LogState,
  final: boolean,
): Draft | 'waiting' | { readonly manifest: Manifest } {
  if (phase !== 'owned' || last === undefined || next !== undefined) return 'waiting';
  const { pending, checkpoint, operators } = last.manifest;
  if (pending.length === 0) return ledger.deleting.length > 0 ? 'waiting' : { manifest: last.manifest };
  const unmoved = new Set(ledger.pending.map(({ committable }) => committable));
  return pending.some(({ committable }) => unmoved.has(committable))
    ? 'waiting'
    : { checkpoint, operators, final };
}
