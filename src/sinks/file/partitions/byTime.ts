import { checkFunction, checkOptions, type OptionNames } from '../../../config/checkOptions.js';
import { InvalidOption } from '../../../config/units.js';
import { isDeferred, deferredInFlow } from '../../../flow/deferred.js';
import { isOrdinary } from '../../twoPhase/places.js';
import { defaultPartition, unusable, type Partitioner } from './partitioner.js';
import { memo, offsets } from './zone.js';

/** Options of {@link byTime}. */
export interface ByTimeOptions<A> {
  /**
   * `yyyy`, `MM`, `dd`, `HH`, `mm` and `ss`; other letters in quotes, `''` is a quote. A slash begins a folder. Default
   * `yyyy-MM-dd--HH`.
   */
  readonly pattern?: string;
  /** The IANA name of a time zone, such as `Europe/Berlin`. Default `UTC`. */
  readonly zone?: string;
  /**
   * The event time of a record: a date, or milliseconds since the epoch, of the years 1 to 9999. Records without one (`null`) go to
   * `__HIVE_DEFAULT_PARTITION__`. Default: the time by the job's clock when the record arrives at the sink.
   */
  readonly timestamp?: (record: A) => number | Date | null | undefined;
}

const names: OptionNames<ByTimeOptions<never>> = { pattern: true, zone: true, timestamp: true };

/**
 * Partitions by time, in a time zone. An hour that daylight saving time repeats is one partition.
 *
 * Errors: `InvalidOption`; `InvalidPartition` for a time outside of the years 1 to 9999.
 *
 * @example
 * ```ts
 * visits.pipe(
 *   fileSink('out', 's3://lake/visits', {
 *     format: ndjson(),
 *     partitionBy: byTime({ pattern: 'yyyy/MM/dd', zone: 'Europe/Berlin', timestamp: ({ at }) => new Date(at) }),
 *   }),
 * );
 * ```
 */
export function byTime<A>(options: ByTimeOptions<A> = {}): Partitioner<A> {
  checkOptions('byTime', options, names);
  const { pattern = 'yyyy-MM-dd--HH', zone = 'UTC', timestamp } = options;
  if (timestamp !== undefined) checkFunction('byTime: timestamp', timestamp);
  if (typeof (zone as unknown) !== 'string') throw new InvalidOption('byTime: zone', zone, 'a string');
  const offsetAt = offsets('byTime: zone', zone);
  const { unit, format } = compiled(pattern);
  const partitionIn = memo((slot) => format(new Date(slot * unit)));
  const partitionAt = (at: number, shown: unknown): string => {
    // The offset of a zone is less than a day. NaN is not in any range.
    if (at >= first - day && at < end + day) {
      const local = at + offsetAt(at);
      if (local >= first && local < end && Math.abs(local - at) < 2 * day)
        return partitionIn(Math.floor(local / unit));
    }
    throw unusable(
      timestamp === undefined ? "The job's clock" : 'timestamp of byTime',
      shown,
      'Use milliseconds since the epoch, or a Date, of the years 1 to 9999; null if there is none',
    );
  };
  return {
    longest: Math.max(
      Buffer.byteLength(format(new Date(0))),
      timestamp === undefined ? 0 : defaultPartition.length,
    ),
    open: (clock, seen) => {
      if (timestamp === undefined)
        return () => {
          const now = clock.now();
          return partitionAt(now, now);
        };
      return (record) => {
        const time: unknown = timestamp(record);
        if (time === null || time === undefined) return defaultPartition;
        if (isDeferred(time)) throw deferredInFlow('timestamp of byTime returned', time);
        const at = millisecondsOf(time);
        const partition = partitionAt(at, time);
        seen?.(at);
        return partition;
      };
    },
  };
}

const day = 86_400_000;
/** The first moment of the year 1, and that of the year 10,000. */
const first = -62_135_596_800_000;
const end = 253_402_300_800_000;

function millisecondsOf(time: unknown): number {
  if (typeof time === 'number') return time;
  return time instanceof Date ? time.getTime() : NaN;
}

/** The fields of a pattern, the length of each in milliseconds, and how it is written. */
const fieldsOf: Readonly<Record<string, { readonly unit: number; readonly write: (local: Date) => string }>> =
  {
    yyyy: { unit: day, write: (local) => padded(local.getUTCFullYear(), 4) },
    MM: { unit: day, write: (local) => padded(local.getUTCMonth() + 1) },
    dd: { unit: day, write: (local) => padded(local.getUTCDate()) },
    HH: { unit: 3_600_000, write: (local) => padded(local.getUTCHours()) },
    mm: { unit: 60_000, write: (local) => padded(local.getUTCMinutes()) },
    ss: { unit: 1000, write: (local) => padded(local.getUTCSeconds()) },
  };

const padded = (value: number, digits = 2): string => String(value).padStart(digits, '0');

/** The shortest field of a pattern, and a function that formats a local time, given as if it were UTC. */
function compiled(pattern: unknown): { readonly unit: number; readonly format: (local: Date) => string } {
  const bad = (rule: string): InvalidOption => new InvalidOption('byTime: pattern', pattern, rule);
  const known = "yyyy, MM, dd, HH, mm and ss, with other letters in quotes: yyyy-MM-dd'T'HH";
  if (typeof pattern !== 'string') throw bad(known);
  let unit = day;
  const writers = (pattern.match(/yyyy|MM|dd|HH|mm|ss|'(?:[^']|'')*'|[^A-Za-z']+|./gsu) ?? []).map(
    (token) => {
      const field = fieldsOf[token];
      if (field !== undefined) {
        unit = Math.min(unit, field.unit);
        return field.write;
      }
      if (/^[A-Za-z']$/.test(token)) throw bad(known);
      const text = token === "''" ? "'" : token.replace(/^'|'$/g, '').replaceAll("''", "'");
      return () => text;
    },
  );
  const format = (local: Date): string => writers.map((write) => write(local)).join('');
  const sample = format(new Date(0));
  const safe = /^[^/]+(?:\/[^/]+)*$/.test(sample) && !/[\x00-\x1f\x7f]|\p{Surrogate}/u.test(sample);
  if (!safe || !isOrdinary(sample)) throw bad('folders without control characters, empty names, . and ..');
  return { unit, format };
}
