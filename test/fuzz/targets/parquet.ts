import { parquet } from '#src/formats/parquet/index.js';
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

export const parquetTargets = [
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
