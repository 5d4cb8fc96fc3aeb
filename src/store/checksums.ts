/**
 * The checksums of S3 that are cheap enough to send with every body. Node computes CRC32 itself; the other two are computed
 * here with tables, eight bytes per step (Kounavis and Berry's slicing-by-8).
 */
import { crc32 } from 'node:zlib';

export type ChecksumKind = 'crc32' | 'crc32c' | 'crc64nvme';

/** The checksum of the concatenated chunks in S3's form: big-endian, in base64. */
export function checksumOf(kind: ChecksumKind, ...chunks: readonly Uint8Array[]): string {
  if (kind === 'crc64nvme') return crc64nvme(chunks).toString('base64');
  const next = kind === 'crc32' ? crc32 : crc32c;
  const sum = Buffer.allocUnsafe(4);
  sum.writeUInt32BE(chunks.reduce((crc, chunk) => next(chunk, crc), 0) >>> 0);
  return sum.toString('base64');
}

/** Castagnoli's, reflected. */
const castagnoli = 0x82f63b78;
/** Rocksoft's, as in NVMe, reflected. */
const rocksoft = 0x9a6c9329ac4bc9b5n;

let tables32: readonly Uint32Array[] | undefined;

/** The CRC32C of data that follows data with the CRC32C `before`: 0 if there is none. */
export function crc32c(data: Uint8Array, before: number): number {
  tables32 ??= makeTables32();
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables32 as Eight;
  let c = ~before;
  let i = 0;
  for (const last = data.length - 8; i <= last; i += 8) {
    const low = c ^ word(data, i);
    c =
      at(t7, low) ^
      at(t6, low >>> 8) ^
      at(t5, low >>> 16) ^
      at(t4, low >>> 24) ^
      at(t3, byte(data, i + 4)) ^
      at(t2, byte(data, i + 5)) ^
      at(t1, byte(data, i + 6)) ^
      at(t0, byte(data, i + 7));
  }
  for (; i < data.length; i += 1) c = (c >>> 8) ^ at(t0, c ^ byte(data, i));
  return ~c >>> 0;
}

let tables64: { readonly low: readonly Uint32Array[]; readonly high: readonly Uint32Array[] } | undefined;

function crc64nvme(chunks: readonly Uint8Array[]): Buffer {
  tables64 ??= makeTables64();
  const [l0, l1, l2, l3, l4, l5, l6, l7] = tables64.low as Eight;
  const [h0, h1, h2, h3, h4, h5, h6, h7] = tables64.high as Eight;
  let low = ~0;
  let high = ~0;
  for (const data of chunks) {
    let i = 0;
    for (const last = data.length - 8; i <= last; i += 8) {
      const a = low ^ word(data, i);
      const b = high ^ word(data, i + 4);
      const [a1, a2, a3, b1, b2, b3] = [a >>> 8, a >>> 16, a >>> 24, b >>> 8, b >>> 16, b >>> 24];
      low =
        at(l7, a) ^ at(l6, a1) ^ at(l5, a2) ^ at(l4, a3) ^ at(l3, b) ^ at(l2, b1) ^ at(l1, b2) ^ at(l0, b3);
      high =
        at(h7, a) ^ at(h6, a1) ^ at(h5, a2) ^ at(h4, a3) ^ at(h3, b) ^ at(h2, b1) ^ at(h1, b2) ^ at(h0, b3);
    }
    for (; i < data.length; i += 1) {
      const index = low ^ byte(data, i);
      low = ((low >>> 8) | (high << 24)) ^ at(l0, index);
      high = (high >>> 8) ^ at(h0, index);
    }
  }
  const sum = Buffer.allocUnsafe(8);
  sum.writeUInt32BE(~high >>> 0, 0);
  sum.writeUInt32BE(~low >>> 0, 4);
  return sum;
}

type Eight = [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

function at(table: Uint32Array, index: number): number {
  return table[index & 0xff] ?? 0;
}

function byte(data: Uint8Array, i: number): number {
  return data[i] ?? 0;
}

function word(data: Uint8Array, i: number): number {
  return byte(data, i) | (byte(data, i + 1) << 8) | (byte(data, i + 2) << 16) | (byte(data, i + 3) << 24);
}

/** Table k moves a byte k further through the register than table 0. */
function makeTables32(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? (c >>> 1) ^ castagnoli : c >>> 1;
    return c;
  });
  const tables = [first];
  for (let k = 1; k < 8; k += 1) tables.push(tables[k - 1]?.map((c) => (c >>> 8) ^ at(first, c)) ?? first);
  return tables;
}

function makeTables64(): { low: Uint32Array[]; high: Uint32Array[] } {
  const first = Array.from({ length: 256 }, (_, n) => {
    let c = BigInt(n);
    for (let bit = 0; bit < 8; bit += 1) c = c & 1n ? (c >> 1n) ^ rocksoft : c >> 1n;
    return c;
  });
  const tables = [first];
  for (let k = 1; k < 8; k += 1)
    tables.push((tables[k - 1] ?? []).map((c) => (c >> 8n) ^ (first[Number(c & 0xffn)] ?? 0n)));
  const half = (shift: bigint): Uint32Array[] =>
    tables.map((table) => Uint32Array.from(table, (c) => Number((c >> shift) & 0xffffffffn)));
  return { low: half(0n), high: half(32n) };
}
