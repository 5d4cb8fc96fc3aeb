/**
 * Recognizes content by its first bytes. A name or a header may be wrong, but the bytes are what a parser would get.
 */
import { isUtf8 } from 'node:buffer';
import type { Compression, Signature } from './decompressor.js';
import { compressions } from './codec.js';

/** The number of bytes to recognize content by. The signature of tar is at offset 257. */
export const headBytes = 512;

/** Recognized content that cannot be read as text. */
export type Content =
  /** Compressed bytes. */
  | { readonly kind: 'compression'; readonly name: string; readonly compression: Compression }
  /** Records in a form that needs its own reader. `name` is for messages: `a Parquet file`. */
  | { readonly kind: 'container'; readonly name: string }
  | { readonly kind: 'encoding'; readonly name: string };

/** A file format with records that is not text. */
export interface Container {
  /** For messages: `a Parquet file`. */
  readonly name: string;
  /** Extensions of names, without the dot, in lower case. */
  readonly extensions: readonly string[];
  readonly signatures: readonly Signature[];
}

export const containers: readonly Container[] = [
  container('a zip archive', ['zip'], { bytes: [0x50, 0x4b, 3, 4] }),
  container('an empty zip archive', [], { bytes: [0x50, 0x4b, 5, 6] }),
  container('a 7z archive', ['7z'], { bytes: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c] }),
  container('a tar archive', ['tar', 'tgz'], { readable: 'ustar', at: 257 }),
  container('a Parquet file', ['parquet'], { readable: 'PAR1' }),
  container('an encrypted Parquet file', [], { readable: 'PARE' }),
  container('an Avro file', ['avro'], { bytes: [0x4f, 0x62, 0x6a, 1] }),
  container('an ORC file', ['orc'], { readable: 'ORC' }),
  container('an Arrow file', ['arrow', 'feather'], { readable: 'ARROW1' }),
  container('a Hadoop sequence file', [], { readable: 'SEQ' }),
  container('a SQLite database', [], { bytes: [...Buffer.from('SQLite format 3\0')] }),
];

function container(
  name: string,
  extensions: readonly string[],
  { bytes, readable, at = 0 }: { bytes?: readonly number[]; readable?: string; at?: number },
): Container {
  const signature =
    readable === undefined
      ? { at, bytes: Buffer.from(bytes ?? []) }
      : { at, bytes: Buffer.from(readable), readable: true };
  return { name, extensions, signatures: [signature] };
}

/** Recognizes content by its first bytes; `undefined` if it may be anything. */
export function recognise(head: Buffer): Content | undefined {
  const shows = ({ at = 0, bytes, readable = false }: Signature): boolean =>
    head.length >= at + bytes.length &&
    bytes.compare(head, at, at + bytes.length) === 0 &&
    (!readable || hasControls(head));
  const compression = compressions.find(({ signatures }) => signatures.some(shows));
  if (compression !== undefined) return { kind: 'compression', name: compression.name, compression };
  const container = containers.find(({ signatures }) => signatures.some(shows));
  if (container !== undefined) return { kind: 'container', name: container.name };
  return recogniseEncoding(head);
}

/** Recognizes UTF-16 and UTF-32 by a byte order mark, or by the zero bytes of ASCII characters. */
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

/** Whether `head` is UTF-8 without control characters that text does not have. `whole`: it is the whole content. */
export function looksLikeText(head: Buffer, whole: boolean): boolean {
  return !hasControls(head) && isUtf8(whole ? head : head.subarray(0, head.length - cutOff(head)));
}

/** The length of an incomplete UTF-8 sequence at the end of `head`. */
function cutOff(head: Buffer): number {
  for (let length = 1; length <= 3; length++) {
    const byte = head.at(-length) ?? 0;
    if (byte > 0xf4) return 0;
    if (byte >= 0xc0) return length < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? length : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

/** Control characters, except those that text has: tab, line feed, form feed, carriage return, backspace, escape. */
function hasControls(head: Buffer): boolean {
  return head.some(
    (byte) => (byte < 0x20 && !(byte >= 8 && byte <= 13 && byte !== 11) && byte !== 0x1b) || byte === 0x7f,
  );
}
