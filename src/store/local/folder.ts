import type { BigIntStats } from 'node:fs';
import { compareKeys } from '../helpers.js';
import type { ListOptions, Unlisted } from '../objectStore.js';
import { absent, errno, unless, type DirectoryEntry, type Disk } from './disk.js';
import { directoriesOf, filesOf, isKeysDirectory, keysName, readOwnName, stateName } from './names.js';
import type { Place } from './tree.js';
import { broken, circle, linkTo, notUnicode, refused, reserved, special, whatIs } from './unlisted.js';

/** A directory in a walk. */
export interface Folder {
  readonly path: string;
  /** The prefix of the keys in it. */
  readonly start: string;
  /** The directory of its objects' places; `path` may be below it, for a piece of a long name. */
  readonly directory: string;
  /** The concatenated pieces of the name up to here. */
  readonly piece: string;
  readonly parent: Folder | undefined;
  id?: Promise<string | undefined>;
}

/** The keys to walk. Raising `from` during the walk skips the keys before it. */
export interface Range {
  readonly prefix: string;
  from: string;
}

export interface Look {
  readonly disk: Disk;
  readonly range: Range;
  readonly links: NonNullable<ListOptions['links']>;
}

/** An object or an unlistable entry, with its key. */
export type Leaf = { readonly low: string } & ({ readonly place: Place } | { readonly unlisted: Unlisted });

/** A child of a folder. `low` is its key, or the prefix of the keys in it. */
export type Child = Leaf | { readonly low: string; readonly folder: Folder };

export function rootFolder(path: string): Folder {
  return { path, start: '', directory: path, piece: '', parent: undefined };
}

/** Whether a child is in the range, or may contain keys that are. */
export function touches(child: Child, range: Range): boolean {
  // A directory that could not be read may contain any key.
  const isDirectory = 'folder' in child || ('unlisted' in child && /^$|\/$/.test(child.low));
  return isDirectory ? reaches(child.low, range) : isIn(child.low, range);
}

function isIn(key: string, { prefix, from }: Range): boolean {
  return key.startsWith(prefix) && compareKeys(key, from) >= 0;
}

/** Whether a key that starts with `start` can be in the range. */
function reaches(start: string, { prefix, from }: Range): boolean {
  if (!start.startsWith(prefix) && !prefix.startsWith(start)) return false;
  return from.startsWith(start) || compareKeys(start, from) >= 0;
}

/** The children that touch the range. Of two with the same key, the valid one comes first. */
export async function childrenOf(look: Look, folder: Folder): Promise<Child[]> {
  const named = await narrowed(look, folder);
  if (named !== undefined) return named;
  let entries: DirectoryEntry[] | undefined;
  try {
    entries = await unless(absent, look.disk.readdir(folder.path));
  } catch (error) {
    return [{ low: folder.start, unlisted: refused(folder.start, folder.path, error) }];
  }
  const own = isKeysDirectory(folder.path);
  const read = own ? ownChild : plainChild;
  const children: Child[] = [];
  if (!own && entries?.some(({ name, bytes }) => name === keysName && bytes === undefined) === true)
    children.push(...(await childrenOf(look, { ...below(folder, keysName, ''), directory: folder.path })));
  for (const entry of entries ?? []) {
    const child = await read(look, folder, entry);
    if (child !== undefined && touches(child, look.range)) children.push(child);
  }
  return children;
}

/** If the prefix names the next directory completely, only that is read. */
async function narrowed(look: Look, folder: Folder): Promise<Child[] | undefined> {
  const { prefix } = look.range;
  const { start, directory, piece } = folder;
  if (!prefix.startsWith(start) || piece !== '' || folder.path !== directory) return undefined;
  const slash = prefix.indexOf('/', start.length);
  if (slash < 0) return undefined;
  const low = prefix.slice(0, slash + 1);
  const children: Child[] = [];
  for (const relative of directoriesOf(directory, prefix.slice(start.length, slash))) {
    const path = `${directory}/${relative}`;
    try {
      if ((await unless(absent, look.disk.stat(path)))?.isDirectory() === true)
        children.push({ low, folder: below(folder, relative, low.slice(start.length)) });
    } catch (error) {
      children.push({ low, unlisted: refused(low, path, error) });
    }
  }
  return children;
}

/** A child of a directory that other programs write to. */
async function plainChild(look: Look, folder: Folder, entry: DirectoryEntry): Promise<Child | undefined> {
  const { name, kind, bytes } = entry;
  const path = `${folder.path}/${name}`;
  const key = folder.start + name;
  if (bytes !== undefined) {
    const low = kind === 'directory' ? `${key}/` : key;
    return { low, unlisted: notUnicode(low, folder.path, bytes) };
  }
  if (name === stateName || name === keysName)
    return kind === 'directory' ? undefined : { low: key, unlisted: reserved(key, path) };
  if (kind === 'file') return objectIn(folder, name);
  if (kind === 'directory') return { low: `${key}/`, folder: below(folder, name, `${name}/`) };
  if (!isIn(key, look.range) && !reaches(`${key}/`, look.range)) return undefined;
  return kind === 'link' ? linkedChild(look, folder, name) : specialChild(look.disk, key, path);
}

async function specialChild(disk: Disk, key: string, path: string): Promise<Child | undefined> {
  const stat = await unless(absent, disk.lstat(path));
  return stat === undefined ? undefined : { low: key, unlisted: special(key, path, whatIs(stat)) };
}

async function linkedChild(look: Look, folder: Folder, name: string): Promise<Child | undefined> {
  const { disk, links } = look;
  const path = `${folder.path}/${name}`;
  const key = folder.start + name;
  const not = (unlisted: Unlisted): Child => ({ low: unlisted.key, unlisted });
  let stat: BigIntStats;
  try {
    stat = await disk.stat(path);
  } catch (error) {
    if (links === 'none') return not(linkTo(key, path, 'what cannot be looked at'));
    if (!absent.includes(errno(error) ?? '')) return not(refused(key, path, error));
    const unlisted = await broken(disk, key, path);
    return unlisted === undefined ? undefined : not(unlisted);
  }
  if (stat.isDirectory()) {
    if (links !== 'all') return not(linkTo(`${key}/`, path, 'a directory'));
    for (let above: Folder | undefined = folder; above !== undefined; above = above.parent)
      if ((await idOf(disk, above)) === idOfStat(stat)) return not(circle(`${key}/`, path, above.path));
    return { low: `${key}/`, folder: below(folder, name, `${name}/`) };
  }
  const what = stat.isFile() ? 'a file' : whatIs(stat);
  if (links === 'none') return not(linkTo(key, path, what));
  return stat.isFile() ? objectIn(folder, name) : not(special(key, path, `a link to ${what}`));
}

/** A child of a directory whose names are all ours. A name without a key is another program's. */
function ownChild(_: Look, folder: Folder, { name, kind }: DirectoryEntry): Child | undefined {
  if (name === stateName) return undefined;
  const { start, directory } = folder;
  const path = `${folder.path}/${name}`;
  const relative = path.slice(directory.length + 1);
  const meaning = kind === 'link' || kind === 'other' ? undefined : readOwnName(name, kind === 'directory');
  const part = folder.piece + (meaning?.text ?? '');
  if (meaning?.kind === 'piece')
    return { low: start + part, folder: { path, start, directory, piece: part, parent: folder } };
  if (meaning?.kind === 'object' && filesOf(directory, part).includes(relative))
    return objectIn(folder, part);
  if (meaning?.kind === 'directory' && directoriesOf(directory, part).includes(relative))
    return { low: `${start}${part}/`, folder: below(folder, name, `${part}/`) };
  const key = start + folder.piece + name;
  return { low: key, unlisted: reserved(key, path) };
}

function objectIn({ start, directory }: Folder, part: string): Child {
  const key = start + part;
  return { low: key, place: { key, directory, part } };
}

function below(parent: Folder, relative: string, text: string): Folder {
  const path = `${parent.path}/${relative}`;
  return { path, start: parent.start + text, directory: path, piece: '', parent };
}

function idOf(disk: Disk, folder: Folder): Promise<string | undefined> {
  return (folder.id ??= disk.stat(folder.path).then(idOfStat, () => undefined));
}

function idOfStat({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
