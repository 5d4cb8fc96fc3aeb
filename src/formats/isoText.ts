/** Dates and times from text, exactly or not at all. No day, hour or minute rolls over into the next one. */

const dateForm = /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)$/;
const timeForm = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?$/;
const timestampForm = /^([+\d-]+)[Tt ]([\d:.]+)(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

const second = 1_000_000_000n;

/** Milliseconds since 1970 of `2026-11-29`, or of a year with a sign and six digits. `undefined` if there is no such day. */
export function midnightOf(text: string): number | undefined {
  const found = dateForm.exec(text);
  if (found === null || found[1] === '-000000') return undefined;
  const [year, month, day] = [Number(found[1]), Number(found[2]), Number(found[3])];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined;
}

/** Nanoseconds since midnight of `23:59:01.5`. */
export function nanosOfTime(text: string): bigint | undefined {
  const found = timeForm.exec(text);
  if (found === null) return undefined;
  const [, hour, minute, seconds, fraction = ''] = found;
  const whole = Number(hour) * 3600 + Number(minute) * 60 + Number(seconds);
  return BigInt(whole) * second + BigInt(fraction.padEnd(9, '0'));
}

/** Nanoseconds since 1970 of `2026-11-29T12:00:00.5Z`, or of one with an offset instead of `Z`. */
export function nanosOfTimestamp(text: string): bigint | undefined {
  const found = timestampForm.exec(text);
  if (found === null) return undefined;
  const [, day = '', time = '', sign, zoneHour = 0, zoneMinute = 0] = found;
  const midnight = midnightOf(day);
  const ofDay = nanosOfTime(time);
  if (midnight === undefined || ofDay === undefined) return undefined;
  const offset = (Number(zoneHour) * 60 + Number(zoneMinute)) * (sign === '-' ? -1 : 1);
  return BigInt(midnight / 1000 - offset * 60) * second + ofDay;
}
