/** The result of parsing the header of a gzip member (RFC 1952, section 2.3). */
export type GzipHeader = { readonly length: number } | 'more' | 'bad';

const flagHcrc = 2;
const flagExtra = 4;
const flagName = 8;
const flagComment = 16;
const reservedFlags = 0xe0;

/** Finds the length of the member header at the start of `bytes`; `more` if it is not complete. */
export function parseGzipHeader(bytes: Buffer): GzipHeader {
  const magic = [0x1f, 0x8b, 8];
  if (magic.some((byte, i) => i < bytes.length && bytes[i] !== byte)) return 'bad';
  const flags = bytes[3];
  if (flags === undefined) return 'more';
  if ((flags & reservedFlags) !== 0) return 'bad';
  let at = 10;
  if ((flags & flagExtra) !== 0) {
    if (bytes.length < at + 2) return 'more';
    at += 2 + bytes.readUInt16LE(at);
  }
  for (const flag of [flagName, flagComment]) {
    if ((flags & flag) === 0) continue;
    const zero = bytes.indexOf(0, at);
    if (zero < 0) return 'more';
    at = zero + 1;
  }
  if ((flags & flagHcrc) !== 0) at += 2;
  return bytes.length < at ? 'more' : { length: at };
}
