import { afterPrefix, checkLimit, compareKeys } from '../helpers.js';
import type { ListOptions, ListPage, ObjectInfo } from '../objectStore.js';
import type { ObjectFiles } from './objectFiles.js';
import type { Tree } from './tree.js';
import { walk, type Found, type Range } from './walk.js';

/** One page of a listing. A cursor is the first key that the next page may start with. */
export async function listTree(tree: Tree, files: ObjectFiles, options: ListOptions): Promise<ListPage> {
  const limit = checkLimit(options.limit);
  const { prefix = '', startAfter, delimiter, cursor } = options;
  await tree.checkRoot();
  const range: Range = { prefix, from: latest(startAfter, cursor) };
  const found: Found[] = [];
  const prefixes: string[] = [];
  let next: string | undefined;
  for await (const object of walk(tree.disk, tree.root, '', range)) {
    const { key } = object;
    if (key === startAfter || compareKeys(key, range.from) < 0) continue;
    if (found.length + prefixes.length === limit) {
      next = key;
      break;
    }
    const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
    if (delimiter === undefined || end < 0) {
      found.push(object);
      continue;
    }
    const folded = key.slice(0, end + delimiter.length);
    if (folded !== startAfter) prefixes.push(folded);
    const behind = afterPrefix(folded);
    if (behind === undefined) break;
    range.from = behind;
  }
  const objects = await describeAll(files, found);
  return next === undefined ? { objects, prefixes } : { objects, prefixes, cursor: next };
}

const together = 32;

/** What has gone since it was found is left out. */
async function describeAll(files: ObjectFiles, found: readonly Found[]): Promise<ObjectInfo[]> {
  const objects: ObjectInfo[] = [];
  for (let i = 0; i < found.length; i += together) {
    for (const info of await Promise.all(found.slice(i, i + together).map((one) => files.info(one)))) {
      if (info !== undefined) {
        objects.push({ key: info.key, size: info.size, etag: info.etag, modified: info.modified });
      }
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
