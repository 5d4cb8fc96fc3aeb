import { randomBytes } from 'node:crypto';
import { checksumOf, type ChecksumKind } from '../../src/store/checksums.js';

const hex = (kind: ChecksumKind, ...chunks: Buffer[]): string =>
  Buffer.from(checksumOf(kind, ...chunks), 'base64').toString('hex');

describe('checksums', () => {
  // The check values of Cook's and Mayhew's catalogue of parametrised CRC algorithms, and of the NVMe specification.
  it.each([
    ['crc32', 'cbf43926', '00000000'],
    ['crc32c', 'e3069283', '00000000'],
    ['crc64nvme', 'ae8b14860a799888', '0'.repeat(16)],
  ] as const)('%s of "123456789" and of nothing', (kind, nine, none) => {
    expect(hex(kind, Buffer.from('123456789'))).toBe(nine);
    expect(hex(kind)).toBe(none);
    expect(hex(kind, Buffer.alloc(0))).toBe(none);
  });

  it('crc64nvme of 4,096 zeros, and crc32c of 32, are what their specifications say', () => {
    expect(hex('crc64nvme', Buffer.alloc(4096))).toBe('6482d367eb22b64e');
    expect(hex('crc32c', Buffer.alloc(32))).toBe('8a9136aa');
    expect(hex('crc32c', Buffer.alloc(32, 0xff))).toBe('62a8ab43');
  });

  it.each(['crc32', 'crc32c', 'crc64nvme'] as const)('%s does not depend on where chunks end', (kind) => {
    const body = randomBytes(1000);
    const whole = hex(kind, body);
    for (const cut of [0, 1, 3, 7, 8, 9, 500, 999, 1000])
      expect(hex(kind, body.subarray(0, cut), body.subarray(cut))).toBe(whole);
    const copy = Buffer.concat([Buffer.alloc(3), body]).subarray(3); // at an odd address
    expect(hex(kind, copy)).toBe(whole);
    copy.writeUInt8((copy.readUInt8(777) + 1) % 256, 777);
    expect(hex(kind, copy)).not.toBe(whole);
  });
});
