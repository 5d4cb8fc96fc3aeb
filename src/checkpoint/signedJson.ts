import { crc32 } from 'node:zlib';
import { isDeeper } from '../formats/depth.js';
import { signatureOf } from './signature.js';

/**
 * Manifests and roots of savepoints as bytes: one header line, `<magic> <version> <crc32 of the rest, 8 hex digits>`,
 * then JSON. If the job has a key, the header ends with the signature of the rest, 64 hex digits (`signature.ts`). The
 * version is outside the JSON, because a reader must recognize a newer format before it parses.
 */
export interface SignedFormat {
  readonly magic: string;
  readonly version: number;
  /** The error for bytes that are not of this format, or were changed. */
  readonly corrupt: (where: string, why: string, cause?: unknown) => Error;
  readonly tooNew: (where: string, found: number) => Error;
  readonly tooLarge: (cause?: unknown) => Error;
}

/** Limits of size (bytes) and nesting, which keep parsing and writing within memory and stack. */
export const largest = 64 * 2 ** 20;
export const deepest = 1000;

/**
 * Errors: that of `tooLarge`.
 *
 * @param key signs it
 */
export function encodeSigned(format: SignedFormat, value: object, key?: string): Buffer {
  const { magic, version } = format;
  const json = jsonOf(format, value);
  const signed = key === undefined ? '' : ` ${signatureOf(json, key, magic)}`;
  return Buffer.concat([Buffer.from(`${magic} ${version} ${checksum(json)}${signed}\n`), json]);
}

function jsonOf({ tooLarge }: SignedFormat, value: object): Buffer {
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    // Other errors, such as for a value that JSON cannot represent, are not about size.
    if (!(cause instanceof RangeError)) throw cause;
    throw tooLarge(cause);
  }
  const json = Buffer.from(text);
  if (json.length > largest - 128 || isDeeper(text, deepest)) throw tooLarge();
  return json;
}

/**
 * The parsed JSON. Errors: those of the format, and those of `verify`, which is called with the JSON before it is
 * parsed.
 *
 * @param where a URI, for messages
 */
export function decodeSigned(
  format: SignedFormat,
  bytes: Buffer,
  where: string,
  verify: (json: Buffer, signature: string | undefined) => void,
): unknown {
  const { magic, version, corrupt, tooNew } = format;
  if (bytes.length > largest) throw corrupt(where, `it has more than ${largest} bytes`);
  const newline = bytes.subarray(0, 128).indexOf(0x0a);
  const header = /^([a-z-]+) ([1-9]\d*) ([0-9a-f]{8})(?: ([0-9a-f]{64}))?$/.exec(
    bytes.toString('latin1', 0, Math.max(newline, 0)),
  );
  if (header?.[1] !== magic) throw corrupt(where, `it does not start with the header ${magic}`);
  if (Number(header[2]) > version) throw tooNew(where, Number(header[2]));
  const json = bytes.subarray(newline + 1);
  if (checksum(json) !== header[3]) throw corrupt(where, 'its checksum does not match');
  verify(json, header[4]);
  const text = json.toString();
  if (isDeeper(text, deepest)) throw corrupt(where, `it is nested more than ${deepest} deep`);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw corrupt(where, 'it is not JSON', cause);
  }
}

function checksum(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}
