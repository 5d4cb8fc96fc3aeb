/**
 * Unicode in HTTP headers, which reliably transport only ASCII. Values of metadata and content headers that are not ASCII
 * are sent as RFC 2047 encoded words, `=?UTF-8?Q?gr=C3=BC=C3=9Fe?=`, as S3 itself does.
 *
 * Servers differ in what they send, and Node decodes headers as Latin-1. So a header is decoded in this order:
 *
 * 1. Bytes that are UTF-8 are UTF-8; others are Latin-1.
 * 2. Encoded words are decoded; one that is malformed, or contains a control character, stays as it is.
 * 3. S3 interprets the bytes it receives as Latin-1 and encodes them again as UTF-8. That is undone.
 */

/** Decodes a header value as Node returns it. */
export function decodeHeader(raw: string): string {
  const text = utf8Of(raw) ?? raw;
  const decoded = text.replace(runs, (run) => decodeWords(run) ?? run);
  return decoded === text ? text : (utf8Of(decoded) ?? decoded);
}

/** Encodes a header value in ASCII. `decodeHeader` reverses it, unless `text` is ASCII with encoded words in it. */
export function encodeHeader(text: string): string {
  if (/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/.test(text)) return text;
  // Text that looks like UTF-8 read as Latin-1 would be changed by `decodeHeader`.
  const bytes = utf8Of(text) === undefined ? text : Buffer.from(text).toString('latin1');
  return words(bytes).join(' ');
}

/** Encoded words separated only by spaces and tabs. */
const runs = /=\?[^?\s]+\?[bq]\?[^?\s]*\?=(?:[ \t]+=\?[^?\s]+\?[bq]\?[^?\s]*\?=)*/gi;

const word = /=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bq])\?([^?\s]*)\?=/gi;

function decodeWords(run: string): string | undefined {
  const pieces: { charset: string; bytes: Buffer }[] = [];
  for (const [, charset = '', encoding = '', content = ''] of run.matchAll(word)) {
    const bytes = encoding.toLowerCase() === 'b' ? fromBase64(content) : fromQuoted(content);
    if (bytes === undefined) return undefined;
    const last = pieces.at(-1);
    // A character may be split between two words.
    if (last?.charset === charset.toLowerCase()) last.bytes = Buffer.concat([last.bytes, bytes]);
    else pieces.push({ charset: charset.toLowerCase(), bytes });
  }
  try {
    const text = pieces.map(({ charset, bytes }) => new TextDecoder(charset, strict).decode(bytes)).join('');
    return /[\x00-\x08\x0a-\x1f\x7f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

const strict = { fatal: true, ignoreBOM: true };

function fromBase64(content: string): Buffer | undefined {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(content) ? Buffer.from(content, 'base64') : undefined;
}

function fromQuoted(content: string): Buffer | undefined {
  if (!/^(?:[\x21-\x3c\x3e-\x7e]|=[0-9a-f]{2})*$/i.test(content)) return undefined;
  const text = content.replaceAll('_', ' ');
  return Buffer.from(
    text.replace(/=(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

/** Decodes UTF-8 that was read as Latin-1; `undefined` if it is not UTF-8. */
function utf8Of(latin1: string): string | undefined {
  if (!/[\x80-\xff]/.test(latin1) || /[^\x00-\xff]/.test(latin1)) return undefined;
  try {
    return new TextDecoder('utf-8', strict).decode(Buffer.from(latin1, 'latin1'));
  } catch {
    return undefined;
  }
}

/** The maximum length of a word (RFC 2047, 2). */
const maxWord = 75;

/** In Base64 or quoted, whichever is shorter. */
function words(text: string): string[] {
  const quoted = chop(text, quote);
  const base64 = chop(text, (piece) => Buffer.from(piece).toString('base64'));
  const [kind, pieces] = quoted.join('').length <= base64.join('').length ? ['Q', quoted] : ['B', base64];
  return pieces.map((piece) => `=?UTF-8?${kind}?${piece}?=`);
}

/** Encoded pieces of whole characters, each short enough for a word. */
function chop(text: string, encode: (piece: string) => string): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const character of text) {
    if (encode(piece + character).length > maxWord - '=?UTF-8?Q??='.length) {
      pieces.push(encode(piece));
      piece = '';
    }
    piece += character;
  }
  return [...pieces, encode(piece)];
}

function quote(piece: string): string {
  let text = '';
  for (const byte of Buffer.from(piece)) {
    const character = String.fromCharCode(byte);
    if (character === ' ') text += '_';
    else if (/[A-Za-z0-9!*+/.,:;()-]/.test(character)) text += character;
    else text += `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}
