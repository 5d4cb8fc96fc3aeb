/**
 * An operator with keyed state, written outside of millrace with public names only. It is built on `keyed`, so its state is in
 * every checkpoint: a job that was killed continues with its rankings.
 */
import { keyed, valueState, type FlowOperator, type Key } from 'millrace';
import { InvalidOption } from 'millrace/operators';

export interface TopNOptions<A, K extends Key> {
  /** Records in a ranking: 1 or more. */
  readonly n: number;
  /** Records with the same key are in one ranking. */
  readonly key: (record: A) => K;
  /** Higher is better. Of equal records the earlier one is better. */
  readonly score: (record: A) => number;
}

/** The best records of a key so far. The best one is first. */
export interface Ranking<A, K> {
  readonly key: K;
  readonly top: readonly A[];
}

/** Emits the ranking of a key whenever a record changes it. `id` names its state in checkpoints. Error: `InvalidOption`. */
export function topN<A, K extends Key>(
  id: string,
  { n, key, score }: TopNOptions<A, K>,
): FlowOperator<A, Ranking<A, K>> {
  if (!Number.isSafeInteger(n) || n < 1)
    throw new InvalidOption(`topN('${id}').n`, n, 'a whole number above 0');
  return keyed(id, {
    key,
    state: { top: valueState<readonly A[]>([]) },
    onRecord: (record, { top }) => {
      const better = top.value.filter((other) => score(other) >= score(record));
      if (better.length >= n) return [];
      const worse = top.value.slice(better.length);
      top.set([...better, record, ...worse].slice(0, n));
      return [{ key: key(record), top: top.value }];
    },
  });
}
