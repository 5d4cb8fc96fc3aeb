/**
 * Read-modify-write of keyed state: for each key of a sequence, add one to its count. The same work by our
 * `valueState`, by a plain `Map` and by lmdb. Each `readModifyWrite…` makes a store that keeps its state from round
 * to round: the first round inserts, the later ones change what is there. A round returns the sum of all results, by
 * which the variants are compared.
 */
import type { RootDatabase } from 'lmdb';
import { valueState } from '../../src/state/index.js';

export type Round = (keys: readonly string[]) => number;

/** `count` distinct keys in a scattered but fixed order. */
export function stateKeys(count: number): string[] {
  const keys: string[] = [];
  for (let i = 0, at = 0; i < count; i++, at = (at + 7_368_787) % count) keys.push(`user-${at}`);
  return keys;
}

/** As `keyed` does it for every record, without the flow around it. Every round ends in a barrier that is stored at once. */
export function readModifyWriteOurs(): Round {
  const clicks = valueState(0).open('clicks');
  const { handle, table } = clicks;
  return (keys) => {
    let sum = 0;
    for (const key of keys) {
      clicks.at(key);
      sum += handle.update((n) => n + 1);
      clicks.leave();
    }
    table.stored(table.freeze());
    return sum;
  };
}

export function readModifyWriteMap(): Round {
  const clicks = new Map<string, number>();
  return (keys) => {
    let sum = 0;
    for (const key of keys) {
      const n = (clicks.get(key) ?? 0) + 1;
      clicks.set(key, n);
      sum += n;
    }
    return sum;
  };
}

/** A transaction for every thousand records, which suits lmdb. The database must be empty at first. */
export function readModifyWriteLmdb(database: RootDatabase<number, string>): Round {
  return (keys) => {
    let sum = 0;
    for (let start = 0; start < keys.length; start += 1000) {
      database.transactionSync(() => {
        for (const key of keys.slice(start, start + 1000)) {
          const n = (database.get(key) ?? 0) + 1;
          database.putSync(key, n);
          sum += n;
        }
      });
    }
    return sum;
  };
}
