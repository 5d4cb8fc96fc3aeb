import { encodeKey, type StoredKey } from '../keys/keys.js';
import { TimerHeap, type Scheduled } from './timerHeap.js';

/** Keys that are sorted in one go. */
const runLength = 512;

/** A sorted run, at its next key. */
interface Run extends Scheduled {
  readonly keys: readonly StoredKey[];
  next: number;
  encoded: Uint8Array;
}

/**
 * The keys in the order of their encodings, a few at a time, as the caller may not have the time for a whole sort: short runs are
 * sorted, during which nothing is yielded, and then merged. Encodings are not kept: there may be tens of millions of keys.
 */
export function* sortedKeys(keys: Iterable<StoredKey>): Generator<readonly StoredKey[]> {
  const heap = new TimerHeap<Run>((a, b) => Buffer.compare(a.encoded, b.encoded));
  const add = (run: StoredKey[]): void => {
    const encoded = run.map((key) => ({ key, bytes: encodeKey(key) }));
    encoded.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
    const [first] = encoded;
    if (first === undefined) return;
    heap.add({ at: 0, index: -1, keys: encoded.map(({ key }) => key), next: 0, encoded: first.bytes });
  };
  let run: StoredKey[] = [];
  for (const key of keys) {
    if (run.push(key) < runLength) continue;
    add(run);
    run = [];
    yield [];
  }
  add(run);
  for (let first = heap.first; first !== undefined; first = heap.first) {
    const key = first.keys[first.next++] as StoredKey;
    const following = first.keys[first.next];
    heap.remove(first);
    if (following !== undefined) {
      first.encoded = encodeKey(following);
      heap.add(first);
    }
    yield [key];
  }
}
