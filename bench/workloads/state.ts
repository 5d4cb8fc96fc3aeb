/**
 * Read-modify-write of keyed state: for each key of a sequence, add one to its count. The same work by our
 * `valueState`, by a plain `Map` and by lmdb; each run starts empty and returns the sum of all results, by which they are
 * compared.
 */
import type { RootDatabase } from 'lmdb';
import { valueState } from '../../src/state/index.js';

/** `count` distinct keys, `rounds` times over, in a scattered but fixed order. */
export function stateKeys(count: number, rounds = 1): string[] {
  const keys: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0, at = round; i < count; i++, at = (at + 7_368_787) % count) keys.push(`user-${at}`);
  }
  return keys;
}

/** As `keyed` does it for every record, without the flow around it. */
export function readModifyWriteOurs(keys: readonly string[]): number {
  const clicks = valueState(0).open('clicks');
  const { handle } = clicks;
  let sum = 0;
  for (const key of keys) {
    clicks.at(key);
    sum += handle.update((n) => n + 1);
    clicks.leave();
  }
  return sum;
}

export function readModifyWriteMap(keys: readonly string[]): number {
  const clicks = new Map<string, number>();
  let sum = 0;
  for (const key of keys) {
    const n = (clicks.get(key) ?? 0) + 1;
    clicks.set(key, n);
    sum += n;
  }
  return sum;
}

/** In one transaction a thousand records, which suits lmdb. The database must be empty. */
export function readModifyWriteLmdb(keys: readonly string[], database: RootDatabase<number, string>): number {
  let sum = 0;
  for (let start = 0; start < keys.length; start += 1000) {
    database.transactionSync(() => {
      for (let i = start; i < Math.min(start + 1000, keys.length); i++) {
        const key = keys[i]!;
        const n = (database.get(key) ?? 0) + 1;
        database.putSync(key, n);
        sum += n;
      }
    });
  }
  return sum;
}
