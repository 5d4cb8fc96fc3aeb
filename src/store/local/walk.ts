import { compareKeys } from '../helpers.js';
import { absent, unless, type Disk } from './disk.js';
import { entryOf, namesOf, stateName } from './names.js';

/** An object found by walking. */
export interface Found {
  readonly key: string;
  readonly directory: string;
  readonly name: string;
}

/** What to walk; `from` may be raised while walking, to skip what is before it. */
export interface Range {
  readonly prefix: string;
  from: string;
}

/** A child of a directory: everything in it starts with `low`. */
interface Child {
  readonly low: string;
  readonly path: string;
  readonly found: Found | undefined;
}

/**
 * The objects below `directory` in the order of their keys, read one directory at a time, and only those directories
 * that can hold a key of the range. Long names and names with suffixes can interleave, so children are merged.
 */
export async function* walk(
  disk: Disk,
  directory: string,
  start: string,
  range: Range,
): AsyncGenerator<Found, void, undefined> {
  const waiting = (await childrenOf(disk, directory, start, range)).sort((a, b) => compareKeys(a.low, b.low));
  const open: { head: Found; rest: AsyncGenerator<Found, void, undefined> | undefined }[] = [];
  let last: string | undefined;
  for (let at = 0; ;) {
    let least = leastOf(open);
    for (let child = waiting[at]; child !== undefined; child = waiting[at]) {
      if (least !== undefined && compareKeys(least.head.key, child.low) < 0) break;
      at += 1;
      if (!touches(child, range)) continue;
      if (child.found !== undefined) open.push({ head: child.found, rest: undefined });
      else {
        const rest = walk(disk, child.path, child.low, range);
        const first = await rest.next();
        if (first.done !== true) open.push({ head: first.value, rest });
      }
      least = leastOf(open);
    }
    if (least === undefined) return;
    const { head } = least;
    if (head.key !== last && head.key.startsWith(range.prefix) && compareKeys(head.key, range.from) >= 0)
      yield head;
    // Only now: whoever wants no more makes no further directory be read.
    const next = await least.rest?.next();
    if (next === undefined || next.done === true) open.splice(open.indexOf(least), 1);
    else least.head = next.value;
    last = head.key;
  }
}

/** The directories below `directory` that can hold keys of the prefix, with the text those keys start with. */
export async function* directories(
  disk: Disk,
  directory: string,
  start: string,
  prefix: string,
): AsyncGenerator<{ readonly directory: string; readonly start: string }, void, undefined> {
  yield { directory, start };
  for (const child of await childrenOf(disk, directory, start, { prefix, from: '' })) {
    if (child.found === undefined) yield* directories(disk, child.path, child.low, prefix);
  }
}

async function childrenOf(disk: Disk, directory: string, start: string, range: Range): Promise<Child[]> {
  const named = await narrowed(disk, directory, start, range);
  if (named !== undefined) return named;
  const children: Child[] = [];
  for (const entry of (await unless(absent, disk.readdir(directory))) ?? []) {
    if (entry.name === stateName) continue;
    const meaning = entryOf(entry.name, entry.isDirectory());
    if (meaning === undefined || !(entry.isFile() || entry.isDirectory() || entry.isSymbolicLink())) continue;
    const low = start + meaning.text;
    const name = meaning.kind === 'object' ? entry.name.replace(/%o$/, '') : entry.name;
    const found = meaning.kind === 'object' ? { key: low, directory, name } : undefined;
    const child = { low, path: `${directory}/${entry.name}`, found };
    if (touches(child, range)) children.push(child);
  }
  return children;
}

/** Where the prefix names the next directory in full, it alone is looked at. */
async function narrowed(
  disk: Disk,
  directory: string,
  start: string,
  range: Range,
): Promise<Child[] | undefined> {
  if (!range.prefix.startsWith(start)) return undefined;
  const slash = range.prefix.indexOf('/', start.length);
  if (slash < 0) return undefined;
  const names = namesOf(range.prefix.slice(start.length, slash));
  const [name] = names;
  if (name === undefined || names.length > 1) return undefined;
  const children: Child[] = [];
  for (const path of [`${directory}/${name}`, `${directory}/${name}%d`]) {
    const stat = await unless(absent, disk.stat(path));
    if (stat?.isDirectory() === true)
      children.push({ low: range.prefix.slice(0, slash + 1), path, found: undefined });
  }
  return children;
}

function touches({ low, found }: Child, { prefix, from }: Range): boolean {
  if (found !== undefined) return low.startsWith(prefix) && compareKeys(low, from) >= 0;
  if (!low.startsWith(prefix) && !prefix.startsWith(low)) return false;
  return from.startsWith(low) || compareKeys(low, from) >= 0;
}

function leastOf<T extends { readonly head: Found }>(open: readonly T[]): T | undefined {
  return open.reduce<T | undefined>(
    (least, one) => (least === undefined || compareKeys(one.head.key, least.head.key) < 0 ? one : least),
    undefined,
  );
}
