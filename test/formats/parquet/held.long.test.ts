import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parquet, types, type ParquetType } from '../../../src/formats/parquet/index.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of the heap and of buffers, without garbage. */
function used(): number {
  for (let i = 0; i < 2; i++) collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const rows = 30_000;
const text = (i: number): string => `${i} ${'x'.repeat(i % 90)}`;

describe('held is about what rows take in memory', () => {
  it.each<readonly [string, ParquetType, (i: number) => unknown]>([
    ['int64', types.int64, (i) => i],
    ['double', types.double, (i) => i / 3],
    ['doubles that may be absent', types.optional(types.double), (i) => (i % 2 === 0 ? null : i / 3)],
    ['bigints that may be absent', types.optional(types.int64), (i) => BigInt(i)],
    ['short strings', types.string, (i) => `user ${i}`],
    ['strings', types.string, text],
    ['long strings', types.string, (i) => `${i}${'ü'.repeat(500)}`],
    ['bytes', types.bytes, (i) => Buffer.from(text(i))],
    ['JSON', types.json, (i) => ({ i, text: text(i) })],
    ['decimals', types.decimal(20, 2), (i) => i / 4],
    ['lists', types.list(types.string), (i) => [text(i), text(i + 1)]],
    ['maps', types.map(types.double), (i) => ({ [text(i)]: i / 3 })],
    ['structs', types.struct({ a: types.double, b: types.string }), (i) => ({ a: i / 3, b: text(i) })],
  ])('%s', (_, type, valueOf) => {
    const ratio = (): number => {
      const encoder = parquet({
        schema: { v: type as ParquetType<unknown> },
        rowGroup: { size: '512MiB' },
      }).open({ write: () => undefined });
      encoder.write({ v: valueOf(0) });
      const before = used();
      const held = encoder.held;
      for (let i = 1; i <= rows; i++) encoder.write({ v: valueOf(i) });
      const grown = used() - before;
      // After the measurement, so that the encoder is not garbage yet.
      return (encoder.held - held) / grown;
    };
    // The process frees other things meanwhile, code for example: one measurement of three may be off.
    const [, median = NaN] = [ratio(), ratio(), ratio()].sort((a, b) => a - b);
    expect(median).toBeGreaterThan(0.5);
    expect(median).toBeLessThan(2.5);
  });
});
