import { afterPrefix, checkLimit, compareKeys } from '../helpers.js';
import type { ListOptions, ListPage, ObjectInfo, Unlisted } from '../objectStore.js';
import { rootFolder, type Range } from './folder.js';
import type { ObjectFiles } from './objectFiles.js';
import type { Place, Tree } from './tree.js';
import { refused } from './unlisted.js';
import { walk } from './walk.js';

/** One page of a listing. A cursor is the lower bound of the next page's keys. */
export async function listTree(tree: Tree, files: ObjectFiles, options: ListOptions): Promise<ListPage> {
  const limit = checkLimit(options.limit);
  const { prefix = '', startAfter, delimiter, cursor, links = 'all' } = options;
  await tree.checkRoot();
  const range: Range = { prefix, from: latest(startAfter, cursor) };
  const found: Place[] = [];
  const prefixes: string[] = [];
  const unlisted: Unlisted[] = [];
  let next: string | undefined;
  for await (const leaf of walk({ disk: tree.disk, range, links }, rootFolder(tree.root))) {
    const { low: key } = leaf;
    if (key === startAfter) continue;
    // Names that are not UTF-8 may share a key, and no page can start between them.
    const full = found.length + prefixes.length + unlisted.length >= limit;
    if (full && unlisted.at(-1)?.key !== key) {
      next = key;
      break;
    }
    const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    if (delimiter === undefined || end < 0) {
      if ('place' in leaf) found.push(leaf.place);
      else unlisted.push(leaf.unlisted);
      continue;
    }
    const folded = key.slice(0, end + delimiter.length);
    if ('unlisted' in leaf && leaf.unlisted.reason === 'link' && key === folded) {
      unlisted.push(leaf.unlisted);
      continue;
    }
    if (folded !== startAfter) prefixes.push(folded);
    const following = afterPrefix(folded);
    if (following === undefined) break;
    range.from = following;
  }
  const objects = await describeAll(files, found, unlisted);
  const [first] = unlisted;
  if (first !== undefined && options.unlisted !== 'report') throw first.error;
  return {
    objects,
    prefixes,
    ...(first === undefined ? {} : { unlisted }),
    ...(next === undefined ? {} : { cursor: next }),
  };
}

const concurrency = 32;

/** Omits objects that were removed since they were found. */
async function describeAll(
  files: ObjectFiles,
  found: readonly Place[],
  unlisted: Unlisted[],
): Promise<ObjectInfo[]> {
  const objects: ObjectInfo[] = [];
  const describe = (place: Place): Promise<ObjectInfo | Unlisted | undefined> =>
    files
      .info(place)
      .catch((error: unknown) => refused(place.key, `${place.directory}/${place.part}`, error));
  for (let i = 0; i < found.length; i += concurrency) {
    for (const info of await Promise.all(found.slice(i, i + concurrency).map(describe))) {
      if (info === undefined) continue;
      if ('reason' in info) unlisted.push(info);
      else objects.push({ key: info.key, size: info.size, etag: info.etag, modified: info.modified });
    }
  }
  return objects;
}

function latest(...texts: readonly (string | undefined)[]): string {
  return texts.reduce<string>(
    (max, text) => (text !== undefined && compareKeys(text, max) > 0 ? text : max),
    '',
  );
}
