import {
  concat,
  concatMap,
  defer,
  endWith,
  forkJoin,
  from,
  map,
  mergeMap,
  toArray,
  type Observable,
} from 'rxjs';
import { hideUserInfo } from '../../path/index.js';
import { allKeyGroups, type KeyGroupRange } from '../../state/index.js';
import type { Located } from '../../store/relation.js';
import type { StoreLocation } from '../../store/services.js';
import type { Adoption } from '../contract.js';
import { dataKey } from '../dataPlace.js';
import type { Draft } from '../inventory.js';
import { references } from '../manifest.js';
import type { Signing } from '../signature.js';
import { copyData, lookUp, type CopyAround, type FoundData } from './copy.js';
import { merged, type ReadSavepoint } from './merged.js';
import { readSavepoint, savepointPrefix, savepointUri } from './read.js';
import { corruptSavepoint, wrongSize } from './root.js';

/**
 * Starting from savepoints. A job whose log is empty takes their content as its own:
 *
 * 1. **Read** the root of each, check and merge them (`merged.ts`), and look up every object that the job's key groups
 *    need. *Crash:* nothing has changed.
 * 2. **Copy** these objects into the job's directory, under the names that they have in the savepoints. The names contain
 *    the id of the job that wrote the object and epoch 0, which no attempt has, so they are never names of the new
 *    job's own objects, and a copy that is repeated writes the same bytes. They are never spread by entropy, which a
 *    log draws with its first entry. Savepoints of jobs that began with one savepoint may have the same object: it is
 *    copied once. *Crash:* the next start copies again.
 * 3. **Claim.** The first entry has a new job id, epoch 1, the checkpoint's number, the state of all operators, and
 *    nothing open or pending. From here on the savepoints are not needed: they can be moved or deleted, and the log is
 *    like any other. *Crash:* the next start finds the log, and does not read the savepoints.
 * 4. **Sweep.** What an earlier start had copied and the claim does not name is removed as a leftover of epoch 0.
 *
 * Two processes that start at the same time both copy; one of them gets the first entry, and the other continues from
 * that as from any log.
 */
export interface AdoptOptions extends CopyAround {
  readonly savepoints: readonly SavepointSource[];
  /** The job's key groups. Default all. */
  readonly keyGroups: KeyGroupRange | undefined;
  /** Ids whose state may be left out if it differs between the savepoints. */
  readonly allowDropped?: readonly string[] | undefined;
  /** The job's checkpoint directory: its store, and its own prefix. */
  readonly location: Located;
  readonly prefix: string;
  readonly sign: Signing | undefined;
}

export interface SavepointSource {
  /** The URI of the savepoint's folder, as given. */
  readonly uri: string;
  readonly location: StoreLocation;
}

/** Roots read concurrently. */
const concurrency = 4;

/**
 * Errors: those of `readSavepoint` and of `merged`; `SavepointCorrupt` for an object that is missing or has another
 * size.
 */
export function adoption(options: AdoptOptions): Adoption {
  const uris = options.savepoints.map(({ uri }) => folderUri(uri)).sort();
  return { uris, adopted: defer(() => adopt(uris, options)) };
}

const folderUri = (uri: string): string => `${hideUserInfo(uri).replace(/\/+$/, '')}/`;

interface Found extends ReadSavepoint {
  readonly location: StoreLocation;
}

function adopt(uris: readonly string[], options: AdoptOptions): Observable<Draft> {
  const { savepoints, keyGroups = allKeyGroups, allowDropped, sign } = options;
  return from(savepoints).pipe(
    mergeMap(
      ({ uri, location }) =>
        readSavepoint(location, sign).pipe(map((root): Found => ({ uri: folderUri(uri), location, root }))),
      concurrency,
    ),
    toArray(),
    concatMap((found) => {
      // In one order, whichever was read first: the claim of a start that is repeated is the same.
      const sorted = found.toSorted((a, b) => (a.uri < b.uri ? -1 : 1));
      const operators = merged(sorted, keyGroups, allowDropped);
      const checkpoint = Math.max(...sorted.map(({ root }) => root.checkpoint));
      const final = sorted.every(({ root }) => root.finished === true);
      const draft: Draft = { checkpoint, operators, final, from: { uris, checkpoint } };
      const left = references({ operators, pending: [] });
      const objects = sorted.map((each) => {
        const names = each.root.data.map(([name]) => name).filter((name) => left.delete(name));
        return lookUpIn(each, names, options.prefix).pipe(map((data) => ({ data, from: each.location })));
      });
      const [missing] = left;
      if (missing !== undefined) throw corruptSavepoint(uris.join(', '), `no object is ${missing}`);
      return forkJoin(objects).pipe(
        concatMap((all) =>
          concat(...all.map(({ data, from: source }) => copyData(data, source, options.location, options))),
        ),
        endWith(draft),
      );
    }),
  );
}

function lookUpIn(
  { root, location }: Found,
  names: readonly string[],
  prefix: string,
): Observable<readonly FoundData[]> {
  const sizes = new Map(root.data);
  const objects = names.map((name) => ({
    name,
    from: savepointPrefix(location) + name,
    to: dataKey({ prefix }, name),
  }));
  return lookUp(objects, location, (name, bytes) => {
    if (bytes === sizes.get(name)) return;
    throw corruptSavepoint(savepointUri(location), wrongSize(name, bytes, sizes.get(name) ?? 0));
  });
}
