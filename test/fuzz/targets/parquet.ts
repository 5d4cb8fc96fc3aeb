import { parquetSeal } from '#src/formats/parquet/encoder.js';
import { parquet, types } from '#src/formats/parquet/index.js';
import { atStart } from '../../formats/atStart.js';
import { mutated } from '../mutate.js';
import { target } from '../target.js';

/** Four rows of an integer, a list and a decimal, with gzip, written by DuckDB. */
const seed = [
  'UEFSMRUAFUwVRiwVCBUAFQYVBgAAH4sIAAAAAAAA/2NiYGDgYGSAAhiDCUozQ2kAkz4CGSYAAAAVABVAFVIsFQgVABUGFQYAAB+LCAAAAAAAAP',
  '9jYmBg4GBgApHMjEDSAEQYgggjEGEMAHPr1xsgAAAAFQAVLBU8LBUIFQAVBhUGAAAfiwgAAAAAAAD/Y2JgYOBgnAYkkTEAU4PjDRYAAAAVAhls',
  'NQAYDWR1Y2tkYl9zY2hlbWEVBgAVBCUCGAFhJSQANQIYAWIVAhUGADUEGARsaXN0FQIAFQwlAhgHZWxlbWVudCUAABUCJQIYAWMlChUEFQgsXB',
  'UEFQgAAAAWCBkcGTwmABwVBBkVABkYAWEVBBYIFm4WaCYIPBgIAwAAAAAAAAAYCAAAAAAAAAAAFgAoCAMAAAAAAAAAGAgAAAAAAAAAABERAAAA',
  'JgAcFQwZFQAZOAFiBGxpc3QHZWxlbWVudBUEFggWYhZ0JnA8GAEzGAEwFgAoATMYATAREQAAACYAHBUCGRUAGRgBYxUEFggWThZeJuQBPBgElg',
  'AAABgElgAAABYAKASWAAAAGASWAAAAEREAAAAWngIWCCYIFroCACgoRHVja0RCIHZlcnNpb24gdjEuNS42IChidWlsZCAwNjljYzlmOWI1KRk8',
  'HAAAHAAAHAAAAFgBAABQQVIx',
].join('');

/** What a checkpoint keeps of a file that has a row group, and two rows more. */
function held(): { readonly state: Buffer; readonly rows: Buffer } {
  const schema = {
    id: types.int64,
    text: types.optional(types.string),
    list: types.list(types.struct({ price: types.decimal(20, 2), raw: types.bytes, yes: types.boolean })),
  };
  const encoder = parquet({ schema }).open({ write: () => undefined });
  const price = { price: 1, raw: Buffer.from('a'), yes: true };
  encoder.write({ id: 1, text: null, list: [price, price] });
  encoder.flush?.();
  encoder.write({ id: 2, text: 'two', list: [] });
  encoder.write({ id: 3, text: 'three', list: [price] });
  const { state, added } = encoder.persist?.(true).rows ?? {};
  return { state: Buffer.from(state ?? []), rows: Buffer.from(added ?? []) };
}

export const parquetTargets = [
  target({
    name: 'rows of a Parquet file in a checkpoint',
    errors: ['FormatChanged', 'UnknownCodec'],
    draw: (random) => {
      const { state, rows } = held();
      const both = random() < 0.5;
      return [both ? mutated(random, state) : state, both && random() < 0.5 ? rows : mutated(random, rows)];
    },
    run: ([state, rows]: readonly Buffer[]) => {
      parquetSeal.seal(state ?? Buffer.alloc(0), rows ?? Buffer.alloc(0));
    },
  }),
  target({
    name: 'parquet',
    errors: ['Integrity', 'UnknownCodec', 'RowGroupTooLarge'],
    draw: (random) => mutated(random, Buffer.from(seed, 'base64')),
    run: async (input: Buffer) => {
      const format = parquet({ maxRowGroup: '1MiB' });
      const decoder = format.groups({ ...atStart, size: input.length });
      for (;;) {
        const wanted = decoder.wants();
        if (wanted.length === 0) return;
        await decoder.take(wanted.map(({ start, end }) => new Uint8Array(input.subarray(start, end))));
        const ignore = (): void => undefined;
        while (decoder.left > 0) decoder.decode(ignore, ignore);
      }
    },
  }),
];
