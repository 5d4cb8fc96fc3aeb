/**
 * How keys become paths, and paths keys. Both ways are unambiguous, whatever other programs call their files:
 *
 * - A part of a key (what is between slashes) that can be a file name is that name, byte for byte. No character is
 *   escaped, so a file that another program wrote has its own path as its key, and `%41` is `%41`.
 * - Everything else is below a directory `.millrace-keys`, which holds nothing but names of ours: the empty part, `.`
 *   and `..`, the store's own two names, a part with a NUL or over 255 bytes, and what lies below such a part; also, where
 *   an object and a directory want one name, the one that came later.
 *
 * A name of ours is a part with `%` as `%25` and NUL as `%00`, followed by what it is: `%o` an object, `%d` a directory.
 * A part over 240 bytes is cut between characters; each piece but the last is a directory whose name ends in `%+`.
 */

/** Where the store keeps what is no object; one in each directory that it has written to. */
export const stateName = '.millrace';

/** Where objects are whose keys are no paths; one in each directory that has such. */
export const keptName = '.millrace-keys';

/** Of a name, on the file systems that there are. Bytes. */
const longest = 255;
const longestPiece = 240;

export type Kind = 'object' | 'directory';

const suffixes: Readonly<Record<Kind, string>> = { object: '%o', directory: '%d' };

/**
 * Where in `directory` an object may be whose key ends in `part`: the first, unless a directory has that name. Paths from
 * `directory`.
 */
export function filesOf(directory: string, part: string): readonly [string, ...string[]] {
  if (isKept(directory)) return [ownName(part, 'object')];
  const kept = `${keptName}/${ownName(part, 'object')}`;
  return isFileName(part) ? [part, kept] : [kept];
}

/** Where in `directory` the objects may be below `part`. Paths from `directory`; of those that exist, the first counts. */
export function directoriesOf(directory: string, part: string): readonly [string, ...string[]] {
  if (isKept(directory)) return [ownName(part, 'directory')];
  const kept = `${keptName}/${ownName(part, 'directory')}`;
  return isFileName(part) ? [kept, part] : [kept];
}

/** Whether all names in a directory are ours. */
export function isKept(directory: string): boolean {
  return `${directory}/`.includes(`/${keptName}/`);
}

/** What an entry of ours means. */
export interface OwnEntry {
  /** A part, or a piece of one. */
  readonly text: string;
  readonly kind: Kind | 'piece';
}

/** Reads a name of ours; `undefined` if it is none. */
export function readOwnName(name: string, isDirectory: boolean): OwnEntry | undefined {
  const [, escaped = '', mark] = /^((?:[^%]|%25|%00)*)%([od+])$/.exec(name) ?? [];
  if (mark === undefined || isDirectory === (mark === 'o')) return undefined;
  const text = escaped.replace(/%(25|00)/g, (_, code: string) => (code === '25' ? '%' : '\0'));
  return { text, kind: mark === 'o' ? 'object' : mark === 'd' ? 'directory' : 'piece' };
}

function isFileName(part: string): boolean {
  if (part === '' || part === '.' || part === '..' || part === stateName || part === keptName) return false;
  return !part.includes('\0') && Buffer.byteLength(part) <= longest;
}

/** The name of a part, a path if it is long. */
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
