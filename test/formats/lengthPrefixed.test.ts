import fc from 'fast-check';
import { readPrefix, writePrefix, type LengthPrefix } from '../../src/formats/frames.js';
import { lengthPrefixed, type LengthPrefixedOptions } from '../../src/formats/lengthPrefixed.js';
import { decodeAll } from './decodeAll.js';

const hex = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('hex');

describe('lengthPrefixed', () => {
  it.each<[LengthPrefixedOptions, string]>([
    [{ bytes: 1 }, '026162'],
    [{ bytes: 2 }, '00026162'],
    [{ bytes: 2, endian: 'little' }, '02006162'],
    [{ bytes: 4 }, '000000026162'],
    [{ bytes: 8, endian: 'little' }, '02000000000000006162'],
    [{ bytes: 'varint' }, '026162'],
  ])('%j writes and reads %s', (options, stored) => {
    const format = lengthPrefixed(options);
    expect(hex(format.encode(Buffer.from('ab')))).toBe(stored);
    const { records, bad } = decodeAll(format, Buffer.from(stored + stored, 'hex'));
    expect({ records: records.map(hex), bad }).toEqual({ records: ['6162', '6162'], bad: [] });
  });

  it('reads the lengths that it writes, as far as a double has them', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<LengthPrefix['bytes']>(1, 2, 4, 8, 'varint'),
        fc.constantFrom<LengthPrefix['endian']>('big', 'little'),
        fc.oneof(fc.nat(300), fc.maxSafeNat()),
        (bytes, endian, length) => {
          const prefix = { bytes, endian };
          const written = writePrefix(prefix, length);
          if (written === undefined) expect(length).toBeGreaterThanOrEqual(256 ** Number(bytes));
          else {
            expect(readPrefix(prefix, written, 0, written.length)).toEqual({ length, at: written.length });
            expect(readPrefix(prefix, written, 0, written.length - 1)).toBeUndefined();
          }
        },
      ),
    );
  });

  it('writes a varint of 300 as protobuf does', () => {
    expect(hex(lengthPrefixed({ bytes: 'varint' }).encode(Buffer.alloc(300)).slice(0, 2))).toBe('ac02');
  });

  it.each<[string, LengthPrefixedOptions, string, string]>([
    ['a record cut short', { bytes: 1 }, '0161' + '0561', 'the object ends in a record of 6 bytes'],
    ['a length cut short', { bytes: 4 }, '0000000161' + '0000', 'the object ends in the length of a record'],
    [
      'a length beyond a double',
      { bytes: 8 },
      '000000000000000161' + 'ffffffffffffffff61',
      'its length, ffffffffffffffff, is 2^53 or more',
    ],
    [
      'a varint without end',
      { bytes: 'varint' },
      '0161' + 'ff'.repeat(20),
      'its length, ffffffffffffffffffff, is not a varint',
    ],
    [
      'a varint beyond a double',
      { bytes: 'varint' },
      '0161' + 'ffffffffffffff7f' + '61',
      'its length, ffffffffffffff7f, is 2^53 or more',
    ],
    ['more than max', { bytes: 1, max: 2 }, '0161' + '03616161', 'it has 3 bytes, and max is 2'],
  ])('%s is malformed', (_, options, stored, reason) => {
    const { records, bad } = decodeAll(lengthPrefixed(options), Buffer.from(stored, 'hex'), 4);
    expect(records.map(hex)).toEqual(['61']);
    expect(bad).toMatchObject([
      { offset: stored.startsWith('0161') ? 2 : (stored.indexOf('61') + 2) / 2, line: 2, reason },
    ]);
  });

  it('the line of a malformed record is its number in the object', () => {
    const stored = Buffer.from('016102616101610261610161', 'hex');
    const { bad, lines } = decodeAll(lengthPrefixed({ bytes: 1, max: 1 }), stored, 4);
    expect(bad).toMatchObject([
      { line: 2, offset: 2 },
      { line: 4, offset: 7 },
    ]);
    expect(lines).toBe(5);
  });

  it('continues after a record of more than max', () => {
    const { records, bad } = decodeAll(
      lengthPrefixed({ bytes: 1, max: 1 }),
      Buffer.from('0261610162', 'hex'),
    );
    expect(records.map(hex)).toEqual(['62']);
    expect(bad).toHaveLength(1);
  });

  it('refuses to write other types, and records that are too long', () => {
    const code = (options: LengthPrefixedOptions, record: unknown): unknown => {
      try {
        return lengthPrefixed(options).encode(record as never);
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code({ bytes: 1 }, 'a')).toBe('NotBytes');
    expect(code({ bytes: 1 }, Buffer.alloc(256))).toBe('TooLong');
    expect(code({ bytes: 4, max: '1KiB' }, Buffer.alloc(1025))).toBe('TooLong');
    expect(code({ bytes: 1 }, Buffer.alloc(255))).toHaveLength(256);
  });

  it.each<[string, unknown]>([
    ['options', undefined],
    ['bytes', { bytes: 3 }],
    ['endian', { bytes: 2, endian: 'middle' }],
    ['max', { bytes: 2, max: 'much' }],
  ])('refuses wrong %s', (_, options) => {
    expect(() => lengthPrefixed(options as never)).toThrow(
      expect.objectContaining({ code: 'InvalidOption' }) as Error,
    );
  });
});
