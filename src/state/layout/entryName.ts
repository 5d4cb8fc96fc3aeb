import { createHash } from 'node:crypto';
import { hashOf, keyGroupOf } from '../keys/keyGroups.js';
import type { StoredKey } from '../keys/keys.js';
import { encodeKey } from '../keys/keys.js';

/**
 * The name of an entry's object:
 *
 * ```
 * <state>/<key group>/<key><extension>
 * <state>/<key group>/<key>.<namespace><extension>
 * ```
 * Key and namespace are the bytes of their encodings, and a state is its name in UTF-8. Lower-case letters, digits, `_`
 * and `-` stay as they are, and each other byte becomes `=` and two hexadecimal digits. So names have no slash, differ
 * in more than case, and are in the set of characters that is safe on S3 and in files. What is longer than
 * {@link longest} becomes `=sha256-` and the digest. Objects have state, key and namespace in them, so names are never
 * decoded.
 */
export function entryName(
  state: string,
  key: StoredKey,
  namespace: Uint8Array,
  maxParallelism: number,
): string {
  const encoded = encodeKey(key);
  const group = keyGroupOf(hashOf(key), maxParallelism);
  const space = namespace.length === 0 ? '' : `.${escaped(namespace)}`;
  return `${folderName(state)}/${group}/${shortened(`${escaped(encoded)}${space}`)}`;
}

/** The name of the folder of a state or an operator. Has no dot. */
export function folderName(name: string): string {
  if (name === '') return '=empty';
  // UTF-8 would encode different strings with lone surrogates alike.
  return shortened(
    name.isWellFormed()
      ? escaped(Buffer.from(name))
      : `=utf16-${Buffer.from(name, 'utf16le').toString('hex')}`,
  );
}

/** Characters of a part of a name. With three such parts, keys stay below the 1,024 bytes of S3, and file names below 255. */
const longest = 200;

const plain = /[a-z0-9_-]/;

function escaped(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    text += plain.test(char) ? char : `=${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}

const shortened = (text: string): string =>
  text.length <= longest ? text : `=sha256-${createHash('sha256').update(text).digest('hex')}`;
