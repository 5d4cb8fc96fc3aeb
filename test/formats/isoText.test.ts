import fc from 'fast-check';
import { midnightOf, nanosOfTime, nanosOfTimestamp } from '../../src/formats/isoText.js';

const dayMillis = 86_400_000;
const dates = fc.date({ noInvalidDate: true });

test('what Date writes is read', () => {
  fc.assert(
    fc.property(dates, (date) => {
      const text = date.toISOString();
      const millis = date.getTime();
      const midnight = Math.floor(millis / dayMillis) * dayMillis;
      expect(midnightOf(text.replace(/T.*/, ''))).toBe(midnight);
      expect(nanosOfTime(text.replace(/.*T|Z/g, ''))).toBe(BigInt(millis - midnight) * 1_000_000n);
      expect(nanosOfTimestamp(text)).toBe(BigInt(millis) * 1_000_000n);
    }),
  );
});

test('a day, an hour or a minute that does not exist is none', () => {
  const two = fc.integer({ min: 0, max: 99 }).map((part) => String(part).padStart(2, '0'));
  fc.assert(
    fc.property(two, two, two, two, two, (month, day, hour, minute, second) => {
      const date = `2026-${month}-${day}`;
      const time = `${hour}:${minute}:${second}`;
      const exists = (text: string) =>
        new Date(text).getTime() >= 0 && new Date(text).toISOString().startsWith(text.slice(0, -1));
      expect(midnightOf(date) !== undefined).toBe(exists(`${date}T00:00:00Z`));
      expect(nanosOfTime(time) !== undefined).toBe(exists(`2026-01-01T${time}Z`));
      expect(nanosOfTimestamp(`${date}T${time}Z`) !== undefined).toBe(exists(`${date}T${time}Z`));
    }),
  );
});

test('an offset is taken off, over midnight, too', () => {
  const noon = BigInt(Date.parse('2026-11-29T12:00:00Z')) * 1_000_000n;
  for (const text of [
    '2026-11-29T13:30:00.5+01:30',
    '2026-11-28 13:00:00.5-23:00',
    '2026-11-29t12:00:00.500000000z',
  ])
    expect(nanosOfTimestamp(text)).toBe(noon + 500_000_000n);
  for (const text of ['2026-11-29T12:00:00', '2026-11-29T12:00:00+24:00', '2026-11-29T12:00:00.0000000000Z'])
    expect(nanosOfTimestamp(text)).toBeUndefined();
});
