import { InvalidOption } from '../../config/units.js';
import { Service } from '../../flow/index.js';
import {
  allKeyGroups,
  defaultMaxParallelism,
  hashOf,
  keyGroupOf as groupOfHash,
  keyGroupRange as rangeOf,
  type KeyGroupRange,
} from './keyGroups.js';
import { storedKey, type Key } from './keys.js';

/** The key groups whose state the operators of a job have. */
export const ownKeyGroups = new Service<KeyGroupRange>('millrace.keyGroups', () => allKeyGroups);

/**
 * The key group of a key: 0 to 127. It depends only on the key, and never changes. Sends each record to the job that
 * has the state of its key: see `keyGroups` of `createJob`.
 *
 * Errors: `UnsupportedKey`.
 *
 * @example
 * ```ts
 * const { first, last } = keyGroupRange(0, 4);
 * const own = visits.pipe(
 *   records(
 *     filter(({ user }) => {
 *       const group = keyGroupOf(user);
 *       return first <= group && group <= last;
 *     }),
 *   ),
 * );
 * ```
 */
export function keyGroupOf(key: Key): number {
  return groupOfHash(hashOf(storedKey(key)), defaultMaxParallelism);
}

/**
 * The key groups of one of several jobs that divide all 128 evenly: `keyGroupRange(1, 4)` is 32 to 63.
 *
 * Errors: `InvalidOption`.
 *
 * @param index 0 for the first job
 * @param jobs their number, 1 to 128
 *
 * @example
 * ```ts
 * const third = createJob({ name: 'clicks-2', keyGroups: keyGroupRange(2, 4) });
 * ```
 */
export function keyGroupRange(index: number, jobs: number): KeyGroupRange {
  if (!(Number.isInteger(jobs) && jobs >= 1 && jobs <= defaultMaxParallelism))
    throw new InvalidOption('keyGroupRange(index, jobs): jobs', jobs, `1 to ${defaultMaxParallelism}`);
  if (!(Number.isInteger(index) && index >= 0 && index < jobs))
    throw new InvalidOption('keyGroupRange(index, jobs): index', index, `0 to ${jobs - 1}`);
  return rangeOf(index, jobs, defaultMaxParallelism);
}

/** Checks the option `keyGroups`. Errors: `InvalidOption`. */
export function checkKeyGroups(key: string, given: unknown): KeyGroupRange {
  const { first, last } = (typeof given === 'object' && given !== null ? given : {}) as Record<
    string,
    unknown
  >;
  const isGroup = (value: unknown): value is number =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < defaultMaxParallelism;
  if (isGroup(first) && isGroup(last) && first <= last) return { first, last };
  throw new InvalidOption(
    key,
    given,
    `{ first, last }, whole numbers from 0 to ${allKeyGroups.last}, such as keyGroupRange(0, 2)`,
  );
}
