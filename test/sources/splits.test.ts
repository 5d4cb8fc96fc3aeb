import fc from 'fast-check';
import type { Reader } from '../../src/formats/reader.js';
import { ndjson } from '../../src/formats/ndjson.js';
import { text } from '../../src/formats/text.js';
import { fetchedEnd, fetchedStart, SplitScanner, type Split } from '../../src/sources/splits.js';
import { effort } from '../support/effort.js';

/** What a split has of an object that arrives in chunks of `chunk` bytes; where it begins, and how many bytes it has seen. */
function scanned(
  content: Buffer,
  split: Split,
  format: Reader<unknown>,
  chunk: number,
  offset = split.begin,
): { bytes: Buffer; start: number | undefined; seen: number } {
  const scanner = new SplitScanner(split, offset, () =>
    format.decoder({ object: 'o', offset: 0, state: undefined }),
  );
  const parts: Buffer[] = [];
  let at = fetchedStart(split, offset);
  while (!scanner.over && at < content.length) {
    parts.push(scanner.take(content.subarray(at, at + chunk)));
    at += chunk;
  }
  return { bytes: Buffer.concat(parts), start: scanner.start, seen: Math.min(at, content.length) };
}

/** Every record with its end, as a reader of the whole object sees them. */
function unitsOf(content: Buffer, format: Reader<unknown>): { start: number; bytes: Buffer }[] {
  const cutter = format.decoder({ object: 'o', offset: 0, state: undefined });
  const units: { start: number; bytes: Buffer }[] = [];
  for (let at = 0; at < content.length;) {
    const found = cutter.first(content, at, content.length);
    const to = found < 0 ? content.length : found;
    units.push({ start: at, bytes: content.subarray(at, to) });
    at = to;
  }
  return units;
}

const pieces = (...of: string[]) =>
  fc.array(fc.constantFrom(...of), { maxLength: 14 }).map((parts) => Buffer.from(parts.join('')));

const formats: readonly (readonly [string, Reader<unknown>, fc.Arbitrary<Buffer>])[] = [
  ['ndjson', ndjson(), pieces('\n', '\r\n', '1', '{"a":1}', '\uFEFF', ' ')],
  ['text', text(), pieces('\n', '\r\n', '\r', 'a', 'bcd', '\uFEFF', '€')],
  ['any line end', text({ lineEnd: 'any' }), pieces('\n', '\r\n', '\r', 'a', 'bcd', '\uFEFF')],
  ['CRLF only', text({ lineEnd: '\r\n' }), pieces('\n', '\r\n', '\r', 'a', 'bc')],
  ['an end of several bytes', text({ lineEnd: '€a' }), pieces('€a', '€', 'a', '\n', 'bc')],
  ['an end of five bytes', text({ lineEnd: '<eol>' }), pieces('<eol>', '<', 'eol', '<e', 'bc')],
];

describe('splits', () => {
  it.each(formats)(
    '%s: whatever the cuts, each record is in one split, that in which it begins',
    (_, format, contents) => {
      const before = format.splitting!.before;
      fc.assert(
        fc.property(contents, fc.integer({ min: 1, max: 7 }), (content, chunk) => {
          const units = unitsOf(content, format);
          for (let size = 1; size <= content.length; size++) {
            for (let begin = 0; begin < content.length; begin += size) {
              const end = Math.min(begin + size, content.length);
              const { bytes, start } = scanned(content, { begin, end, before }, format, chunk);
              const owned = units.filter(
                (unit) => unit.start <= end && (unit.start > begin || (begin === 0 && unit.start === 0)),
              );
              expect(bytes.toString()).toBe(Buffer.concat(owned.map((unit) => unit.bytes)).toString());
              if (owned.length > 0) expect(start).toBe(owned[0]!.start);
            }
          }
        }),
        { numRuns: effort(60, 1500) },
      );
    },
  );

  it.each(formats)('%s: resumed after any record, it has the rest', (_, format, contents) => {
    const before = format.splitting!.before;
    fc.assert(
      fc.property(contents, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 7 }), (content, a, b, chunk) => {
        const [begin, end] = [a % (content.length + 1), b % (content.length + 1)].sort((x, y) => x - y) as [
          number,
          number,
        ];
        if (begin === end) return;
        const whole = scanned(content, { begin, end, before }, format, chunk);
        for (const { start } of unitsOf(content, format)) {
          if (start <= begin || start > end) continue;
          const rest = scanned(content, { begin, end, before }, format, chunk, start);
          expect(rest.bytes.toString()).toBe(whole.bytes.subarray(start - whole.start!).toString());
        }
      }),
      { numRuns: effort(100, 2000) },
    );
  });

  const lines = text();
  const ranged = (content: string, begin: number, end: number) => {
    const { bytes, seen } = scanned(Buffer.from(content), { begin, end, before: 0 }, lines, 1);
    return [bytes.toString(), seen] as const;
  };

  it('a record that begins at a cut belongs to the split before it', () => {
    expect(ranged('aa\nbb\ncc\n', 0, 3)).toEqual(['aa\nbb\n', 6]);
    expect(ranged('aa\nbb\ncc\n', 3, 9)).toEqual(['cc\n', 9]);
  });

  it('within a long record it reads its range and one byte, and has nothing', () => {
    expect(ranged(`${'x'.repeat(100)}\ny`, 10, 20)).toEqual(['', 21]);
    expect(ranged(`${'x'.repeat(100)}\ny`, 0, 10)).toEqual([`${'x'.repeat(100)}\n`, 101]);
  });

  it('reads no more than up to the end of its last record', () => {
    expect(ranged('aa\nbb\ncc\ndd\n', 1, 4)).toEqual(['bb\n', 6]);
  });

  it('is fetched a little beyond its range, and never beyond the object', () => {
    const MiB = 1024 * 1024;
    expect(fetchedEnd({ begin: 0, end: 64 * MiB }, 200 * MiB)).toBe(64 * MiB + 16 * 1024);
    expect(fetchedEnd({ begin: 64 * MiB, end: 128 * MiB }, 128 * MiB)).toBe(128 * MiB);
    expect(fetchedEnd({ begin: 0, end: 10 }, 100)).toBe(11);
  });
});

test('a format can be split if its ends cannot overlap themselves', () => {
  const before = (lineEnd: string) => text({ lineEnd }).splitting?.before;
  expect(before('\n')).toBe(0);
  expect(before('any')).toBe(0);
  expect(before('\r\n')).toBe(1);
  expect(before('€')).toBe(2);
  expect(before('\n\n')).toBeUndefined();
  expect(before('aba')).toBeUndefined();
  expect(before('abcab')).toBeUndefined();
});
