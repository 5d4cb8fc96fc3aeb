import { afterPrefix, checkLimit, compareKeys } from '../helpers.js';
import type { ListOptions, ListPage, ObjectInfo } from '../objectStore.js';
import type { SortedMap } from './sortedMap.js';

/** One page of a listing over sorted keys. A cursor is the lower bound of the next page's keys. */
export function listSorted(all: SortedMap<{ readonly info: ObjectInfo }>, options: ListOptions): ListPage {
  const { prefix = '', startAfter, delimiter, cursor } = options;
  const limit = checkLimit(options.limit);
  const objects: ObjectInfo[] = [];
  const prefixes: string[] = [];
  let from = latest(prefix, startAfter, cursor);
  scan: for (;;) {
    for (const [key, { info }] of all.from(from)) {
      if (!key.startsWith(prefix)) break scan;
      if (key === startAfter) continue;
      if (objects.length + prefixes.length === limit) return { objects, prefixes, cursor: key };
      const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      if (delimiter === undefined || end < 0) {
        objects.push({ key, size: info.size, etag: info.etag, modified: info.modified });
        continue;
      }
      const folded = key.slice(0, end + delimiter.length);
      const next = afterPrefix(folded);
      if (folded !== startAfter) prefixes.push(folded);
      if (next === undefined) break scan;
      from = next;
      continue scan;
    }
    break;
  }
  return { objects, prefixes };
}

function latest(...texts: readonly (string | undefined)[]): string {
  return texts.reduce<string>(
    (max, text) => (text !== undefined && compareKeys(text, max) > 0 ? text : max),
    '',
  );
}
