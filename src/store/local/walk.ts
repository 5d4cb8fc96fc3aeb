import { compareKeys } from '../helpers.js';
import { childrenOf, touches, type Folder, type Leaf, type Look } from './folder.js';

/**
 * Everything in a folder and below, in key order. Reads one directory at a time, and only those that may contain keys of the
 * range. Long names and `.millrace-keys` can interleave with others, so children are merged; of two objects with one key, the
 * one that a read finds is emitted.
 */
export async function* walk(look: Look, folder: Folder): AsyncGenerator<Leaf, void, undefined> {
  const { range } = look;
  // The sort is stable: of equal keys, the valid one stays first.
  const waiting = (await childrenOf(look, folder)).sort((a, b) => compareKeys(a.low, b.low));
  const open: { head: Leaf; rest: AsyncGenerator<Leaf, void, undefined> | undefined }[] = [];
  let last: string | undefined;
  for (let at = 0; ;) {
    let least = leastOf(open);
    for (let child = waiting[at]; child !== undefined; child = waiting[at]) {
      if (least !== undefined && compareKeys(least.head.low, child.low) < 0) break;
      at += 1;
      if (!touches(child, range)) continue;
      if ('folder' in child) {
        const rest = walk(look, child.folder);
        const first = await rest.next();
        if (first.done !== true) open.push({ head: first.value, rest });
      } else open.push({ head: child, rest: undefined });
      least = leastOf(open);
    }
    if (least === undefined) return;
    const { head } = least;
    const isObject = 'place' in head;
    if (!(isObject && head.low === last) && touches(head, range)) yield head;
    // After the yield, so that a consumer that stops causes no further reads.
    const next = await least.rest?.next();
    if (next === undefined || next.done === true) open.splice(open.indexOf(least), 1);
    else least.head = next.value;
    if (isObject) last = head.low;
  }
}

/** The folders that may contain objects of the range. Throws the errors of unreadable directories. */
export async function* folders(look: Look, folder: Folder): AsyncGenerator<Folder, void, undefined> {
  yield folder;
  for (const child of await childrenOf(look, folder)) {
    if ('folder' in child) yield* folders(look, child.folder);
    else if ('unlisted' in child && child.low.endsWith('/')) throw child.unlisted.error;
  }
}

function leastOf<T extends { readonly head: Leaf }>(open: readonly T[]): T | undefined {
  return open.reduce<T | undefined>(
    (least, one) => (least === undefined || compareKeys(one.head.low, least.head.low) < 0 ? one : least),
    undefined,
  );
}
