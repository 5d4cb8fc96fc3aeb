/**
 * Which codec an object needs, for those who leave it to us (`compression: 'auto'`).
 *
 * Three things speak of it: the end of its name, its Content-Encoding, and its first bytes. The bytes decide, because they
 * are what a parser would get: a proxy may have decompressed what the header still calls gzip, and an uploader may have
 * compressed what no name tells of. Names and headers matter where bytes say nothing (brotli has no signature), and for
 * formats that take any bytes, where a signature may be the content itself.
 *
 * What is known and cannot be read is refused by name, never parsed as it lies.
 */
import { MillraceError } from '../errors.js';
import type { Codec, Compression } from './decompressor.js';
import { codecNamed, codecs, compressions } from './codec.js';
import { containers, looksLikeText, recognise, type Content } from './recognise.js';

export interface StoredObject {
  /** For messages, and for the end of its name. */
  readonly uri: string;
  /** Its Content-Encoding. */
  readonly encoding: string | undefined;
  /** Its first `headBytes` bytes. */
  readonly head: Buffer;
  /** The head is all of it. */
  readonly whole: boolean;
  /** It is to be read as text. */
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
    // The bytes may be the content already, whatever the header says, unless only the header can tell.
    const told = outer !== undefined && (isUnsigned(outer) || shown === outer);
    return told ? declared(uri, outer, byHeader) : nameSays;
  }
  const container = containers.find(({ extensions }) => extensions.includes(ending));
  if (container !== undefined) throw unknownContainer(uri, container.name, byName);
  if (content !== undefined) throw unreadable(uri, content);
  if (looksLikeText(head, object.whole)) return undefined;
  // What calls itself gzip and is neither that nor text is broken, and its decompressor says so.
  const headerSays = outer && declared(uri, outer, byHeader);
  return nameSays ?? headerSays;
}

/**
 * Refuses what is no text in a content that is read as such: what `codec` has inside, or, as far as its character
 * encoding goes, what is taken as it lies without one. Errors: `UnknownCodec`, `NotUtf8`.
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

/** Whether nothing but a name or a header can tell of it. */
const isUnsigned = (compression: Compression): boolean =>
  compressions.includes(compression) && compression.signatures.length === 0;

/** The codec for what a name or a header says, and no bytes contradict. Errors: `UnknownCodec`. */
function declared(uri: string, { name }: Compression, because: string): Codec {
  const codec = codecNamed(name);
  if (codec === undefined) throw unknownCompression(uri, name, because);
  return codec;
}

function unreadable(uri: string, content: Content, inside?: Codec): MillraceError {
  const where = inside === undefined ? '' : ` inside of ${inside.name}`;
  const because = `its first bytes${where} say so`;
  switch (content.kind) {
    case 'compression':
      return inside === undefined
        ? unknownCompression(uri, content.name, because)
        : new MillraceError(
            'UnknownCodec',
            `${uri} is compressed twice: there is ${content.name}${where}. Compress it once.`,
          );
    case 'container':
      return unknownContainer(uri, content.name, because);
    case 'encoding':
      return new MillraceError(
        'NotUtf8',
        `${uri} is ${content.name}${where}, and text is read as UTF-8. Convert it: iconv -f ${content.name} -t UTF-8.`,
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

const unknownContainer = (uri: string, what: string, because: string): MillraceError =>
  new MillraceError(
    'UnknownCodec',
    `${uri} is ${what} (${because}), not text. Leave it out of the URI's glob, convert it, or read it with format: bytes().`,
  );
