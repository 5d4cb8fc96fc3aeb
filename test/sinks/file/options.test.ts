import { InvalidOption, parseDuration, parseSize } from '../../../src/config/units.js';
import { codecNamed } from '../../../src/formats/codec.js';
import { avro } from '../../../src/formats/avro/index.js';
import { parquet, types } from '../../../src/formats/parquet/index.js';
import type { Writer } from '../../../src/formats/writer.js';
import { settingsOf } from '../../../src/sinks/file/options.js';
import { lines } from '../harness.js';

const MiB = 2 ** 20;

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
  ])('an invalid value of any kind is rejected: %#', (value, shown) => {
    expect(() => parseSize('k', value as never)).toThrow(`k: ${shown} is not allowed.`);
  });

  test('a broken rule names its key', () => {
    const bad = (options: object, key: string): void => {
      expect(() => settingsOf('out', { format: lines, ...options })).toThrow(`fileSink 'out': ${key}: `);
    };
    bad({ roll: { size: '6TiB' } }, 'roll.size');
    bad({ inFlight: 0 }, 'inFlight');
    bad({ budget: '15MiB' }, 'budget');
    bad({ roll: { size: '1TiB' }, budget: '64MiB' }, 'budget');
    for (const prefix of ['a/b', 'a\n', '\ud800', 5]) bad({ naming: { prefix } }, 'naming.prefix');
    bad({ naming: { suffix: 'a\udc00' } }, 'naming.suffix');
    bad({ roll: { age: 0 } }, 'roll.age');
    for (const checkpoints of [0, 1.5, -1, NaN, '3', true])
      bad({ roll: { checkpoints } }, 'roll.checkpoints');
    bad({ roll: { everyCheckpoint: 1 } }, 'roll.everyCheckpoint');
    for (const manifests of [{}, { latest: 1 }]) bad({ manifests }, 'manifests.latest');
    bad({ roll: { when: true } }, 'roll.when');
    bad({ compression: 'brotli' }, 'compression');
    if (codecNamed('zstd') === undefined) bad({ compression: 'zstd' }, 'compression');
  });

  test('formats that compress inside of their files are not compressed again', () => {
    const both = (format: Writer<never>) => () => settingsOf('out', { format, compression: 'gzip' });
    expect(both(parquet({ schema: { id: types.int64 } }))).toThrow(
      "fileSink 'out': compression: 'gzip' is not allowed. It must be 'none' with this format, which compresses inside of its files: use compression of parquet().",
    );
    expect(both(avro({ avroSchema: 'long' }))).toThrow('use codec of avro().');
    settingsOf('out', { format: avro({ avroSchema: 'long' }), compression: 'none' });
  });

  test('formats that only read say how they write', () => {
    const sink = (format: unknown) => () => settingsOf('out', { format: format as Writer<never> });
    const schema = {
      '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
    } as const;
    expect(sink(parquet())).toThrow(
      "fileSink 'out': format: parquet() without `schema` only reads: parquet({ schema }).",
    );
    expect(sink(parquet({ schema }))).toThrow('does not give its JSON Schema');
    expect(sink(avro())).toThrow('avro() without `avroSchema` only reads: avro({ avroSchema }).');
    expect(sink({})).toThrow('an object is not allowed. It must be a format such as');
  });
});
