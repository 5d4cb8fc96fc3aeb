import { MillraceError } from '../../../errors.js';
import { typeName } from '../../../formats/typeName.js';
import type { Clock } from '../../../flow/index.js';

/** Gives every record its partition: the folder below the sink's URI. See `byTime` and `hive`. */
export interface Partitioner<A> {
  /**
   * Begins an attempt, on the job's clock.
   *
   * @param seen called with the event time of each record that has one, in milliseconds since the epoch
   */
  open(clock: Pick<Clock, 'now'>, seen?: (time: number) => void): (record: A) => string;
  /** The length of the longest partition, if it has a limit. Bytes. */
  readonly longest?: number;
}

/** The partition of records without a value, as in Hive. */
export const defaultPartition = '__HIVE_DEFAULT_PARTITION__';

/** A function as a partitioner. */
export function partitionerOf<A>(
  option: ((record: A) => string) | Partitioner<A> | undefined,
): Partitioner<A> {
  if (option === undefined) return { open: () => () => '', longest: 0 };
  return typeof option === 'function' ? { open: () => option } : option;
}

/** The error of a function that returned something else than it must. */
export function unusable(from: string, value: unknown, advice: string): MillraceError {
  const shown = typeof value === 'number' ? String(value) : `a value of type ${typeName(value)}`;
  return new MillraceError('InvalidPartition', `${from} returned ${shown}. ${advice}.`);
}
