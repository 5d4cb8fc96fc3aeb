/**
 * Determines the codec of an object for `compression: 'auto'`.
 *
 * There are three indications: the extension of its name, its Content-Encoding, and its first bytes. The bytes decide, because
 * a parser gets them: a proxy may have decompressed an object whose header still names gzip, and an uploader may have compressed
 * one without a telling name. Names and headers count if the bytes are not recognized (brotli has no signature), and for formats
 * that accept any bytes, where a signature may be part of the content.
 *
 * Content that is recognized but cannot be read is refused by name instead of parsed as it is.
 */
import { MillraceError } from '../errors.js';
import type { Codec, Compression } from './decompressor.js';
import { codecNamed, codecs, compressions } from './codec.js';
import { containers, looksLikeText, recognise, type Content } from './recognise.js';

export interface StoredObject {
  /** For messages, and for the extension. */
  readonly uri: string;
  /** Its Content-Encoding. */
  readonly encoding: string | undefined;
  /** Its first `headBytes` bytes. */
  readonly head: Buffer;
  /** The head is the whole object. */
  readonly whole: boolean;
  /** The object is read as text. */
  readonly text: boolean;
}

/** The codec of an object; `undefined` if its stored bytes are its content. Errors: `UnknownCodec`, `NotUtf8`. */
export function codecOf(object: StoredObject): Codec | undefined {
  const { uri, head, text } = object;
  const ending = /\.([^./]+)$/.exec(uri)?.[1]?.toLowerCase() ?? '';
  const named = compressions.find(({ words }) => words.includes(ending));
  const layers = layersOf(object.encoding);
  const content = recognise(head);
  const shown = content?.kind === 'compression' ? content.compression : undefined;
  const shownCodec = shown && codecNamed(shown.name);
  if (shown !== undefined && shownCodec !== undefined && (text || named === shown || layers.includes(shown)))
    return shownCodec;
  const byName = `its name ends in .${ending}`;
  const nameSays = named && declared(uri, named, byName);

  const outer = layers.at(-1);
  const byHeader = `its Content-Encoding is ${object.encoding ?? ''}`;
  if (!text) {
    // The bytes may already be the content, even if there is a header, unless only the header can identify the compression.
    const told = outer !== undefined && (isUnsigned(outer) || shown === outer);
    return told ? declared(uri, outer, byHeader) : nameSays;
  }
  const container = containers.find(({ extensions }) => extensions.includes(ending));
  if (container !== undefined) throw unknownContainer(uri, container.name, byName);
  const unsigned = [named, outer].some((each) => each !== undefined && isUnsigned(each));
  // Brotli may begin like UTF-16: that of 257 bytes often does.
  if (content !== undefined && !(unsigned && content.kind === 'encoding')) throw unreadable(uri, content);
  // An empty brotli stream is one byte, a semicolon.
  if (looksLikeText(head, object.whole) && !(unsigned && object.whole && head.length === 1)) return undefined;
  // An object with a gzip name or header that is neither gzip nor text is corrupt. The decompressor reports that.
  const headerSays = outer && declared(uri, outer, byHeader);
  return nameSays ?? headerSays;
}

/**
 * Refuses content that is read as text but is not: anything recognized inside of `codec`, and, without a codec, a
 * character encoding other than UTF-8. Errors: `UnknownCodec`, `NotUtf8`.
 */
export function checkText(uri: string, head: Buffer, codec: Codec | undefined): void {
  const content = recognise(head);
  if (content === undefined || (codec === undefined && content.kind !== 'encoding')) return;
  throw unreadable(uri, content, codec);
}

/** The compressions that a Content-Encoding names, in the order in which they were applied. */
function layersOf(encoding = ''): Compression[] {
  return encoding
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '' && token !== 'identity' && token !== 'aws-chunked')
    .map(
      (token) =>
        compressions.find(({ words }) => words.includes(token)) ?? {
          name: token,
          words: [token],
          signatures: [],
        },
    );
}

/** Whether only a name or a header can identify it. */
const isUnsigned = (compression: Compression): boolean =>
  compressions.includes(compression) && compression.signatures.length === 0;

/** The codec that a name or a header declares. Errors: `UnknownCodec`. */
function declared(uri: string, { name }: Compression, because: string): Codec {
  const codec = codecNamed(name);
  if (codec === undefined) throw unknownCompression(uri, name, because);
  return codec;
}

function unreadable(uri: string, content: Content, inside?: Codec): MillraceError {
  const where = inside === undefined ? '' : ` inside ${inside.name}`;
  const because = `according to its first bytes${where}`;
  switch (content.kind) {
    case 'compression':
      return inside === undefined
        ? unknownCompression(uri, content.name, because)
        : new MillraceError(
            'UnknownCodec',
            `${uri} is compressed twice: ${content.name}${where}. Compress it once.`,
          );
    case 'container':
      return unknownContainer(uri, content.name, because);
    case 'encoding':
      return new MillraceError(
        'NotUtf8',
        `${uri} is ${content.name}${where}, but text must be UTF-8. Convert it: iconv -f ${content.name} -t UTF-8.`,
      );
  }
}

function unknownCompression(uri: string, name: string, because: string): MillraceError {
  const readable = codecs.map((codec) => codec.name).join(' or ');
  return new MillraceError(
    'UnknownCodec',
    `No codec for ${uri}: it is compressed with ${name} (${because}). Recompress it with ${readable}, or read it as it is with compression: 'none'.`,
  );
}

/** The formats that read containers, in entries of their own. */
const formatOf: Readonly<Partial<Record<string, string>>> = {
  'a Parquet file': "parquet() of 'millrace/parquet'",
  'an Avro file': "avro() of 'millrace/avro'",
};

function unknownContainer(uri: string, what: string, because: string): MillraceError {
  const format = formatOf[what];
  return new MillraceError(
    'UnknownCodec',
    `${uri} is ${what} (${because}), not text. ${format === undefined ? 'Leave' : `Read it with format: ${format}, or leave`} it out of the URI's glob, convert it, or read it with format: bytes().`,
  );
}
