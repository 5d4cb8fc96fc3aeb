import { InvalidOption } from '../../../config/units.js';

const quarter = 15 * 60_000;
/** Offsets and partitions that are remembered, per sink. */
const remembered = 1000;

/**
 * Returns the offset of a zone's local time from UTC at a moment, both in milliseconds. `Intl` is asked once per quarter of an hour
 * in which the offset does not change.
 */
export function offsets(key: string, zone: string): (at: number) => number {
  if (zone === 'UTC') return () => 0;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    throw new InvalidOption(key, zone, "a time zone such as 'Europe/Berlin' or 'UTC'");
  }
  const exact = (at: number): number => {
    const seconds = Math.floor(at / 1000) * 1000;
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(seconds)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    const local = new Date(0);
    local.setUTCFullYear(year, month - 1, day);
    local.setUTCHours(hour, minute, second);
    return local.getTime() - seconds;
  };
  const offsetIn = memo((slot) => {
    const [first, last] = [exact(slot * quarter), exact((slot + 1) * quarter - 1)];
    return first === last ? () => first : exact;
  });
  return (at) => offsetIn(Math.floor(at / quarter))(at);
}

/** Remembers the results for some numbers. */
export function memo<T>(make: (slot: number) => T): (slot: number) => T {
  const made = new Map<number, T>();
  let last: number | undefined;
  let result!: T;
  return (slot) => {
    if (slot === last) return result;
    if (made.size >= remembered) made.clear();
    const found = made.get(slot) ?? make(slot);
    made.set(slot, found);
    last = slot;
    return (result = found);
  };
}
