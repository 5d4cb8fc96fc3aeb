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
import type { CodecName } from './codec.js';
import { gzip, looksLikeText, recognise, type Content } from './recognise.js';

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

/** Compressions by the endings of names and the tokens of Content-Encoding. */
const compressions: ReadonlyMap<string, string> = new Map(
  Object.entries({
    gz: 'gzip',
    gzip: 'gzip',
    'x-gzip': 'gzip',
    zst: 'zstd',
    zstd: 'zstd',
    'x-zstd': 'zstd',
    bz2: 'bzip2',
    bzip2: 'bzip2',
    'x-bzip2': 'bzip2',
    xz: 'xz',
    'x-xz': 'xz',
    lzma: 'lzma',
    lz4: 'lz4',
    lzo: 'lzo',
    snappy: 'snappy',
    sz: 'snappy',
    'x-snappy-framed': 'snappy',
    br: 'brotli',
    brotli: 'brotli',
    z: 'compress (.Z)',
    compress: 'compress (.Z)',
    'x-compress': 'compress (.Z)',
    deflate: 'deflate',
  }),
);

/** Compressions without a signature: only what declares them tells. */
const unsigned: readonly string[] = ['brotli', 'deflate', 'lzma', 'lzo'];

const containers: ReadonlyMap<string, string> = new Map(
  Object.entries({
    parquet: 'a Parquet file',
    avro: 'an Avro file',
    orc: 'an ORC file',
    arrow: 'an Arrow file',
    feather: 'an Arrow file',
    zip: 'a zip archive',
    '7z': 'a 7z archive',
    tar: 'a tar archive',
    tgz: 'a tar archive',
  }),
);

/** The codec of an object. Errors: `UnknownCodec`, `NotUtf8`. */
export function codecOf(object: StoredObject): CodecName {
  const { uri, head, text } = object;
  const ending = /\.([^./]+)$/.exec(uri)?.[1]?.toLowerCase() ?? '';
  const byName = `its name ends in .${ending}`;
  const named = compressions.get(ending);
  const layers = layersOf(object.encoding);
  const content = recognise(head);
  if (content === gzip && (text || named === gzip.name || layers.includes(gzip.name))) return 'gzip';
  if (named !== undefined && named !== gzip.name) throw unknownCompression(uri, named, byName);

  const outer = layers.at(-1);
  const byHeader = `its Content-Encoding is ${object.encoding ?? ''}`;
  if (!text) {
    // The bytes may be the content already, whatever the header says, unless only the header can tell.
    if (outer !== undefined && (unsigned.includes(outer) || content?.name === outer))
      throw unknownCompression(uri, outer, byHeader);
    return named === undefined ? 'none' : 'gzip';
  }
  const container = containers.get(ending);
  if (container !== undefined) throw unknownContainer(uri, container, byName);
  if (content !== undefined) throw unreadable(uri, content, '');
  if (looksLikeText(head, object.whole)) return 'none';
  if (outer !== undefined && outer !== gzip.name) throw unknownCompression(uri, outer, byHeader);
  // What calls itself gzip and is neither that nor text is broken, and its decoder says so.
  return named === undefined && outer === undefined ? 'none' : 'gzip';
}

/**
 * Refuses what is no text in a content that is read as such: what `compression: 'gzip'` has inside, or, as far as its
 * character encoding goes, what `compression: 'none'` takes as it lies. Errors: `UnknownCodec`, `NotUtf8`.
 */
export function checkText(uri: string, head: Buffer, codec: CodecName): void {
  const content = recognise(head);
  if (content === undefined || (codec === 'none' && content.kind !== 'encoding')) return;
  throw unreadable(uri, content, codec === 'gzip' ? ' inside of gzip' : '');
}

/** The compressions that a Content-Encoding names, in the order in which they were applied. */
function layersOf(encoding = ''): string[] {
  return encoding
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '' && token !== 'identity' && token !== 'aws-chunked')
    .map((token) => compressions.get(token) ?? token);
}

function unreadable(uri: string, content: Content, where: string): MillraceError {
  const because = `its first bytes${where} say so`;
  switch (content.kind) {
    case 'compression':
      return where === ''
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

const unknownCompression = (uri: string, name: string, because: string): MillraceError =>
  new MillraceError(
    'UnknownCodec',
    `No codec for ${uri}: it is compressed with ${name} (${because}). Recompress it with gzip, or read it as it is with compression: 'none'.`,
  );

const unknownContainer = (uri: string, what: string, because: string): MillraceError =>
  new MillraceError(
    'UnknownCodec',
    `${uri} is ${what} (${because}), not text. Leave it out of the URI's glob, convert it, or read it with format: bytes().`,
  );
