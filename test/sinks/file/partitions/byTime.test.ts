import fc from 'fast-check';
import { byTime, type ByTimeOptions } from '../../../../src/sinks/file/partitions/byTime.js';
import { effort } from '../../../support/effort.js';

const at = (time: string): number => Date.parse(time);
const clock = { now: () => at('2026-11-29T07:59:59.999Z') };

/** The partition of a time. */
function partition(time: unknown, options: ByTimeOptions<unknown> = {}): string {
  return byTime({ timestamp: (time) => time as number, ...options }).open(clock)(time);
}

const zones = [
  ...['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia'],
  ...['Africa/Monrovia', 'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Kiritimati', 'Antarctica/Troll'],
];

describe('byTime', () => {
  test('the default is the hour in UTC, by the clock of the job', () => {
    expect(byTime().open(clock)({})).toBe('2026-11-29--07');
  });

  test('an hour that is skipped or repeated by daylight saving time', () => {
    const zone = 'Europe/Berlin';
    const hours = (day: string, times: readonly string[]) =>
      times.map((time) => partition(at(`${day}T${time}Z`), { zone, pattern: 'HH:mm' }));
    expect(hours('2026-03-29', ['00:59', '01:00'])).toEqual(['01:59', '03:00']);
    expect(hours('2026-10-25', ['00:30', '00:59', '01:00', '01:30', '02:00'])).toEqual([
      ...['02:30', '02:59', '02:00', '02:30', '03:00'],
    ]);
  });

  test.each(zones)('%s is as Intl has it, whatever was asked before', (zone) => {
    const format = new Intl.DateTimeFormat('sv-SE', {
      ...{ timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' },
      ...{ hour: '2-digit', minute: '2-digit', second: '2-digit' },
    });
    const one = byTime<number>({ zone, pattern: 'yyyy-MM-dd HH:mm:ss', timestamp: (time) => time }).open(
      clock,
    );
    const hours = byTime<number>({ zone, pattern: 'yyyy-MM-dd HH', timestamp: (time) => time }).open(clock);
    const anyTime = fc.oneof(
      fc.integer({ min: at('1000-01-03'), max: at('9999-12-30') }),
      fc.integer({ min: at('2026-01-01'), max: at('2027-01-01') }),
      fc.integer({ min: at('1840-01-01'), max: at('1990-01-01') }),
    );
    fc.assert(
      fc.property(anyTime, fc.integer({ min: 0, max: 3_600_000 }), (time, later) => {
        for (const each of [time, time + later, time]) {
          expect(one(each)).toBe(format.format(each));
          expect(hours(each)).toBe(format.format(each).slice(0, 13));
        }
      }),
      { numRuns: effort(40, 2000) },
    );
  });

  test('the years 1 to 9999, and nothing else', () => {
    const time = (iso: string): number => new Date(iso).getTime();
    expect(partition(time('0001-01-01T00:00:00Z'))).toBe('0001-01-01--00');
    expect(partition(time('9999-12-31T23:59:59Z'))).toBe('9999-12-31--23');
    for (const zone of zones)
      for (const wrong of [
        ...[time('+010000-01-02T00:00:00Z'), time('0000-12-30T00:00:00Z'), 8.64e15, -8.64e15, 1e300],
        ...[NaN, Infinity, -Infinity, new Date(NaN), 'now', {}, 1n, Symbol('s')],
      ])
        expect(() => partition(wrong, { zone })).toThrow(
          expect.objectContaining({ code: 'InvalidPartition' }) as Error,
        );
    // There, it is the year 10,000 or 0 already or still.
    const message = /Use milliseconds since the epoch/;
    expect(() => partition(time('9999-12-31T23:00:00Z'), { zone: 'Europe/Berlin' })).toThrow(message);
    expect(() => partition(time('0001-01-01T00:00:00Z'), { zone: 'America/New_York' })).toThrow(message);
    expect(partition(time('+010000-01-01T00:00:00Z'), { zone: 'America/New_York' })).toBe('9999-12-31--19');
  });

  test('dates, fractions, and no time at all', () => {
    expect(partition(new Date('2026-11-29T07:00:00Z'))).toBe('2026-11-29--07');
    expect(partition(at('2026-11-29T07:00:00Z') - 0.5)).toBe('2026-11-29--06');
    expect(partition(null)).toBe('__HIVE_DEFAULT_PARTITION__');
    expect(partition(undefined)).toBe('__HIVE_DEFAULT_PARTITION__');
    expect(() => partition(Promise.resolve(1))).toThrow(
      expect.objectContaining({ code: 'PromiseInFlow' }) as Error,
    );
  });

  test('patterns', () => {
    const time = at('2026-01-02T03:04:05Z');
    const cases: Record<string, string> = {
      'yyyy/MM/dd/HH': '2026/01/02/03',
      yyyyMMddHHmmss: '20260102030405',
      "yyyy-MM-dd'T'HH'h'": '2026-01-02T03h',
      "'day'=dd ''ü😀": "day=02 'ü😀",
      "'it''s' MM": "it's 01",
      dd: '02',
    };
    for (const [pattern, expected] of Object.entries(cases))
      expect(partition(time, { pattern })).toBe(expected);
    const wrong = [
      'YYYY',
      'MMM',
      'h',
      "'",
      "yyyy'",
      '',
      '/',
      'dd/',
      '/dd',
      'dd//HH',
      '../dd',
      'dd/.',
      'dd\n',
      'dd\0',
    ];
    for (const pattern of [...wrong, 'dd\ud800', 1 as never])
      expect(() => byTime({ pattern })).toThrow(/byTime: pattern: .* is not allowed/s);
  });

  test('invalid options are rejected', () => {
    expect(() => byTime({ zone: 'Mars/Olympus' })).toThrow(/'Europe\/Berlin' or 'UTC'/);
    expect(() => byTime({ zone: 1 as never })).toThrow(/byTime: zone/);
    expect(() => byTime({ timestamp: 'at' as never })).toThrow(/byTime: timestamp/);
    expect(() => byTime({ timeZone: 'UTC' } as never)).toThrow(/Did you mean zone/);
  });

  test('longest is the length of the longest partition', () => {
    expect(byTime({ pattern: "yyyy/'ü'" }).longest).toBe(7);
    expect(byTime({ timestamp: () => 0 }).longest).toBe('__HIVE_DEFAULT_PARTITION__'.length);
  });
});
