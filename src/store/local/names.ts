/**
 * How keys become paths. The parts of a key between slashes become names, and nearly all of them stay as they are, so
 * that other programs find plain files. Only what no file system takes is escaped:
 *
 * - the empty part is `%_`; `.` and `..` are `%2E` and `%2E%2E`; a NUL is `%00`; our own directory's name starts `%2E`;
 * - a `%` that would look like one of these is `%25`;
 * - a name over 240 bytes goes on in a directory whose name ends in `%+`;
 * - where an object and a directory want one name, the later takes a suffix: `%o` an object, `%d` a directory.
 */

/** Where the store keeps what is not an object; one in each directory that it has written to. */
export const stateName = '.millrace';

const longest = 240;

/** The names that a part of a key becomes: directories, then the last. */
export function namesOf(part: string): readonly string[] {
  const text = escapePart(part);
  if (Buffer.byteLength(text) <= longest) return [text];
  const names: string[] = [];
  let name = '';
  let size = 0;
  for (const atom of text.match(/%(?:00|25|2E)|[^]/gu) ?? []) {
    const bytes = Buffer.byteLength(atom);
    if (size + bytes > longest) {
      names.push(`${name}%+`);
      name = '';
      size = 0;
    }
    name += atom;
    size += bytes;
  }
  return [...names, name];
}

/** What a directory entry stands for. */
export interface Entry {
  /** The text it adds to the key: a part, a piece of one, or a part with its slash. */
  readonly text: string;
  readonly kind: 'object' | 'directory' | 'piece';
}

/** Reads a name; `undefined` if it is no name of ours (then the entry is invisible). */
export function entryOf(name: string, isDirectory: boolean): Entry | undefined {
  if (name === stateName) return undefined;
  const suffix = /%[+od]$/.exec(name)?.[0];
  const bare = suffix === undefined ? name : name.slice(0, -2);
  const text = unescapePart(bare);
  if (suffix === '%+') return isDirectory ? { text, kind: 'piece' } : undefined;
  if (suffix === (isDirectory ? '%o' : '%d')) return undefined;
  return isDirectory ? { text: `${text}/`, kind: 'directory' } : { text, kind: 'object' };
}

function escapePart(part: string): string {
  if (part === '') return '%_';
  if (part === '.' || part === '..' || part === stateName)
    return part.replace(/^\.\.?/, (dots) => '%2E'.repeat(dots.length));
  return part.replace(/%(?=00|25|2E|[_+od]$)/g, '%25').replace(/\u0000/g, '%00');
}

function unescapePart(name: string): string {
  if (name === '%_') return '';
  return name.replace(/%(00|25|2E)/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}
