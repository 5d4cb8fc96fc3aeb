/**
 * An operator with keyed state, written outside of millrace: it imports public names only. Its state is in every checkpoint, as it
 * is built on `keyed`; a job that is killed goes on with the rankings it had.
 */
import { keyed, valueState, type FlowOperator, type Key } from 'millrace';
import { InvalidOption } from 'millrace/operators';

export interface TopNOptions<A, K extends Key> {
  /** Records in a ranking. 1 or more. */
  readonly n: number;
  /** What is ranked together. */
  readonly key: (record: A) => K;
  /** The higher, the better. Of equal ones the earlier is better. */
  readonly score: (record: A) => number;
}

/** The best records of a key so far, best first. */
export interface Ranking<A, K> {
  readonly key: K;
  readonly top: readonly A[];
}

/** Sends the ranking of a record's key whenever the record changes it. `id` names its state in checkpoints. Error: `InvalidOption`. */
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
