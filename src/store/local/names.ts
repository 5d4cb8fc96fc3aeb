/**
 * Maps keys to paths and back. The mapping is unambiguous, whatever other programs name their files:
 *
 * - A part of a key (between slashes) that is a valid file name is that name, byte for byte. Nothing is escaped, so the key
 *   of another program's file is its path, and `%41` is `%41`.
 * - Everything else is below a directory `.millrace-keys`, which only contains our names: the empty part, `.` and `..`, the
 *   store's own two names, a part with a NUL or over 255 bytes, and everything below such a part; also the later one of an
 *   object and a directory with the same name.
 *
 * Our names are parts with `%` as `%25` and NUL as `%00`, followed by their kind: `%o` for an object, `%d` for a directory. A
 * part over 240 bytes is cut between characters; each piece but the last is a directory whose name ends in `%+`.
 */

/** The directory of the store's own files, in each directory that it has written to. */
export const stateName = '.millrace';

/** The directory of objects whose keys are not valid paths, in each directory that has any. */
export const keysName = '.millrace-keys';

/** The maximum length of a name on common file systems. Bytes. */
const longest = 255;
const longestPiece = 240;

export type Kind = 'object' | 'directory';

const suffixes: Readonly<Record<Kind, string>> = { object: '%o', directory: '%d' };

/**
 * The paths, relative to `directory`, where the object of a key that ends in `part` may be: the first, unless it is a
 * directory.
 */
export function filesOf(directory: string, part: string): readonly [string, ...string[]] {
  if (isKeysDirectory(directory)) return [ownName(part, 'object')];
  const own = `${keysName}/${ownName(part, 'object')}`;
  return isFileName(part) ? [part, own] : [own];
}

/** The paths, relative to `directory`, where the objects below `part` may be. The first that exists is written to. */
export function directoriesOf(directory: string, part: string): readonly [string, ...string[]] {
  if (isKeysDirectory(directory)) return [ownName(part, 'directory')];
  const own = `${keysName}/${ownName(part, 'directory')}`;
  return isFileName(part) ? [own, part] : [own];
}

/** Whether a directory only contains our names. */
export function isKeysDirectory(directory: string): boolean {
  return `${directory}/`.includes(`/${keysName}/`);
}

/** A parsed name of ours. */
export interface OwnEntry {
  /** A part, or a piece of one. */
  readonly text: string;
  readonly kind: Kind | 'piece';
}

/** Parses a name of ours; `undefined` if it is not one. */
export function readOwnName(name: string, isDirectory: boolean): OwnEntry | undefined {
  const [, escaped = '', mark] = /^((?:[^%]|%25|%00)*)%([od+])$/.exec(name) ?? [];
  if (mark === undefined || isDirectory === (mark === 'o')) return undefined;
  const text = escaped.replace(/%(25|00)/g, (_, code: string) => (code === '25' ? '%' : '\0'));
  return { text, kind: mark === 'o' ? 'object' : mark === 'd' ? 'directory' : 'piece' };
}

function isFileName(part: string): boolean {
  if (part === '' || part === '.' || part === '..' || part === stateName || part === keysName) return false;
  return !part.includes('\0') && Buffer.byteLength(part) <= longest;
}

/** Our name of a part; a path if it is long. */
function ownName(part: string, kind: Kind): string {
  const escaped = part.replace(/%/g, '%25').replace(/\0/g, '%00');
  if (Buffer.byteLength(escaped) <= longestPiece) return escaped + suffixes[kind];
  const pieces: string[] = [];
  let piece = '';
  let size = 0;
  for (const atom of escaped.match(/%(?:00|25)|[^]/gu) ?? []) {
    const bytes = Buffer.byteLength(atom);
    if (size + bytes > longestPiece) {
      pieces.push(`${piece}%+`);
      piece = '';
      size = 0;
    }
    piece += atom;
    size += bytes;
  }
  return [...pieces, piece + suffixes[kind]].join('/');
}
