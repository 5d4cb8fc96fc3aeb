import { InvalidOption, parseDuration, parseSize } from '../../src/config/units.js';
import { BufferPool } from '../../src/sinks/pool.js';
import { settingsOf } from '../../src/sinks/options.js';
import { formatUid, parseUid } from '../../src/sinks/uids.js';
import {
  largestPart,
  maxObject,
  maxParts,
  OpenFile,
  partSizeOf,
  type PartCut,
} from '../../src/sinks/writer.js';
import { lines } from './harness.js';

const MiB = 2 ** 20;

describe('part sizes', () => {
  test.each([5 * MiB, 8 * MiB, 64 * MiB, 1024 * MiB])(
    'of base %d: 5 TiB fit in 10,000 parts of at most 5 GiB',
    (base) => {
      let total = 0;
      let largest = 0;
      for (let number = 1; number <= maxParts; number++) {
        total += partSizeOf(number, base);
        largest = Math.max(largest, partSizeOf(number, base));
      }
      expect(total).toBeGreaterThanOrEqual(maxObject);
      expect(largest).toBeLessThanOrEqual(5 * 2 ** 30);
      expect(partSizeOf(1, base)).toBe(base);
      expect(partSizeOf(1000, base)).toBe(base);
      expect(largestPart(1000 * base, base)).toBe(base);
    },
  );
});

describe('OpenFile', () => {
  test('cuts parts of exactly the part size, whatever the records', () => {
    const pool = new BufferPool(1 << 20);
    const file = new OpenFile('u', 'k', 'p', 0, 1000, pool);
    const parts: PartCut[] = [];
    let all = '';
    const record = (text: string): void => {
      all += text;
      file.text += text;
      file.flush((part) => parts.push(part));
    };
    for (let i = 0; i < 300; i++) record(`${i} ${'€ü😀x'.repeat(i % 13)}\n`);
    record('y'.repeat(5000));
    file.roll((part) => parts.push(part));
    expect(parts.slice(0, -1).every((part) => part.size === 1000)).toBe(true);
    expect(parts.map((part) => part.number)).toEqual(parts.map((_, i) => i + 1));
    const bytes = Buffer.concat(parts.map((part) => part.memory!.subarray(0, part.size)));
    expect(bytes.toString()).toBe(all);
    expect(file.size).toBe(bytes.length);
  });
});

describe('uids', () => {
  test.each(['out', 'dead letters/1', 'a-b_c.d', 'größe'])('sink %s: is read back from a key', (sink) => {
    const uid = { jobId: 'ab-part-cd_9', sink, epoch: 12, counter: 345 };
    for (const around of [
      (name: string) => name,
      (name: string) => `x/y part-z/part-${name.replace('part-', 'part-')}0001.ndjson`,
    ]) {
      expect(parseUid(around(`part-${formatUid(uid)}`))).toEqual(uid);
    }
  });

  test('other names have none', () => {
    for (const key of ['', 'part-', 'part-0000-1.csv', 'a/part-00000-1-c000.snappy.parquet']) {
      expect(parseUid(key)).toBeUndefined();
    }
  });
});

describe('options', () => {
  test('sizes and durations', () => {
    expect(parseSize('k', '8MiB')).toBe(8 * MiB);
    expect(parseSize('k', '1.5 kB')).toBe(1500);
    expect(parseSize('k', 17)).toBe(17);
    expect(parseDuration('k', '10s')).toBe(10_000);
    expect(parseDuration('k', '1m')).toBe(60_000);
    for (const bad of ['', '8', '8 MB/s', '-1s', 'toString', NaN, -1, 1.5]) {
      expect(() => parseSize('sink.part', bad)).toThrow(InvalidOption);
    }
    expect(() => parseDuration('roll.age', 'soon')).toThrow(/roll\.age: 'soon' is not allowed\. It must be/);
  });

  test.each([
    [Object.create(null), 'an object'],
    [{ toString: '' }, 'an object'],
    [[1], 'a list'],
    [() => 1, 'a function'],
    [null, 'null'],
    [Symbol('s'), 'Symbol(s)'],
  ])('a value of any kind can be refused: %#', (value, shown) => {
    expect(() => parseSize('k', value as never)).toThrow(`k: ${shown} is not allowed.`);
  });

  test('a rule that is broken names its key', () => {
    const bad = (options: object, key: string): void => {
      expect(() => settingsOf('out', { format: lines, ...options })).toThrow(`fileSink 'out': ${key}: `);
    };
    bad({ roll: { size: '6TiB' } }, 'roll.size');
    bad({ inFlight: 0 }, 'inFlight');
    bad({ budget: '15MiB' }, 'budget');
    bad({ roll: { size: '1TiB' }, budget: '64MiB' }, 'budget');
    bad({ naming: { prefix: 'a/b' } }, 'naming.prefix');
    bad({ roll: { age: 0 } }, 'roll.age');
  });
});
