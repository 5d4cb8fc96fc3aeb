/**
 * What an object is, by its first bytes. A name or a header may be wrong; these are what a parser would get.
 *
 * Signatures are those of the formats' own specifications. One that could begin a text file ("ORC", "PAR1") counts only if
 * bytes that no text has come after it.
 */
import { isUtf8 } from 'node:buffer';

/** The first bytes that decide: the signature of tar lies at 257. */
export const headBytes = 512;

/** Something that is known and not read as text. */
export interface Content {
  /** For messages: `zstd`, `a Parquet file`. */
  readonly name: string;
  /** A compression has other bytes inside; a container has records that only its own reader finds. */
  readonly kind: 'compression' | 'container' | 'encoding';
}

const compression = (name: string): Content => ({ name, kind: 'compression' });
const container = (name: string): Content => ({ name, kind: 'container' });

export const gzip = compression('gzip');

interface Signature {
  readonly content: Content;
  readonly at?: number;
  readonly bytes: Buffer;
  /** It could begin a text file. */
  readonly readable?: boolean;
}

const signatures: readonly Signature[] = [
  { content: gzip, bytes: Buffer.from([0x1f, 0x8b, 8]) },
  { content: compression('zstd'), bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
  { content: compression('bzip2'), bytes: Buffer.from('BZh'), readable: true },
  { content: compression('xz'), bytes: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) },
  { content: compression('lz4'), bytes: Buffer.from([0x04, 0x22, 0x4d, 0x18]) },
  { content: compression('lz4'), bytes: Buffer.from([0x02, 0x21, 0x4c, 0x18]) },
  {
    content: compression('snappy'),
    bytes: Buffer.from([0xff, 6, 0, 0, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]),
  },
  { content: compression('lzop'), bytes: Buffer.from([0x89, 0x4c, 0x5a, 0x4f, 0]) },
  { content: compression('compress (.Z)'), bytes: Buffer.from([0x1f, 0x9d]) },
  { content: compression('lzip'), bytes: Buffer.from([0x4c, 0x5a, 0x49, 0x50, 1]) },
  { content: container('a zip archive'), bytes: Buffer.from([0x50, 0x4b, 3, 4]) },
  { content: container('an empty zip archive'), bytes: Buffer.from([0x50, 0x4b, 5, 6]) },
  { content: container('a 7z archive'), bytes: Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]) },
  { content: container('a tar archive'), at: 257, bytes: Buffer.from('ustar'), readable: true },
  { content: container('a Parquet file'), bytes: Buffer.from('PAR1'), readable: true },
  { content: container('an encrypted Parquet file'), bytes: Buffer.from('PARE'), readable: true },
  { content: container('an Avro file'), bytes: Buffer.from([0x4f, 0x62, 0x6a, 1]) },
  { content: container('an ORC file'), bytes: Buffer.from('ORC'), readable: true },
  { content: container('an Arrow file'), bytes: Buffer.from('ARROW1'), readable: true },
  { content: container('a Hadoop sequence file'), bytes: Buffer.from('SEQ'), readable: true },
  { content: container('a SQLite database'), bytes: Buffer.from('SQLite format 3\0') },
];

/** A frame that decoders of zstd and lz4 skip. */
const skippable = (head: Buffer): boolean =>
  head.length >= 4 && (head.readUInt32LE(0) & 0xfffffff0) >>> 0 === 0x184d2a50;

/** The kind of content that `head`, the first bytes of it, shows; `undefined` if it may be anything. */
export function recognise(head: Buffer): Content | undefined {
  for (const { content, at = 0, bytes, readable = false } of signatures) {
    if (head.length < at + bytes.length || bytes.compare(head, at, at + bytes.length) !== 0) continue;
    if (!readable || hasControls(head)) return content;
  }
  if (skippable(head)) return compression('zstd or lz4');
  return recogniseEncoding(head);
}

/** UTF-16 and UTF-32, with a byte order mark, or by where the zeros of ASCII characters are. */
function recogniseEncoding(head: Buffer): Content | undefined {
  const encoding = (name: string): Content => ({ name, kind: 'encoding' });
  const [a, b, c, d] = head;
  if (a === 0xff && b === 0xfe) return encoding(c === 0 && d === 0 ? 'UTF-32' : 'UTF-16');
  if (a === 0xfe && b === 0xff) return encoding('UTF-16');
  if (a === undefined || b === undefined || c === undefined || d === undefined) return undefined;
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return encoding('UTF-32');
  if (a !== 0 && b === 0 && c !== 0 && d === 0) return encoding('UTF-16');
  if (a === 0 && b !== 0 && c === 0 && d !== 0) return encoding('UTF-16');
  return undefined;
}

/** Whether `head` is UTF-8 and has no byte that texts do not have. `whole`: nothing comes after it. */
export function looksLikeText(head: Buffer, whole: boolean): boolean {
  return !hasControls(head) && isUtf8(whole ? head : head.subarray(0, head.length - cutOff(head)));
}

/** Bytes of a UTF-8 sequence that is not complete at the end of `head`. */
function cutOff(head: Buffer): number {
  for (let length = 1; length <= 3; length++) {
    const byte = head.at(-length) ?? 0;
    if (byte > 0xf4) return 0;
    if (byte >= 0xc0) return length < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? length : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** All but what terminals and editors leave in texts: tab, line feed, form feed, carriage return, backspace, escape. */
function hasControls(head: Buffer): boolean {
  return head.some(
    (byte) => (byte < 0x20 && !(byte >= 8 && byte <= 13 && byte !== 11) && byte !== 0x1b) || byte === 0x7f,
  );
}
