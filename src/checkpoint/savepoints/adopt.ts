import { concatMap, defer, endWith, type Observable } from 'rxjs';
import { hideUserInfo } from '../../path/index.js';
import type { Located } from '../../store/relation.js';
import type { StoreLocation } from '../../store/services.js';
import type { Adoption } from '../contract.js';
import { dataKey } from '../dataPlace.js';
import type { Draft } from '../inventory.js';
import type { Signing } from '../signature.js';
import { copyData, lookUp, type CopyAround } from './copy.js';
import { readSavepoint, savepointPrefix, savepointUri } from './read.js';
import { corruptSavepoint, wrongSize } from './root.js';

/**
 * Starting from a savepoint. A job whose log is empty takes the savepoint's content as its own:
 *
 * 1. **Read** the root, check it, and look up every object. *Crash:* nothing has changed.
 * 2. **Copy** every object into the job's directory, under the name that it has in the savepoint. The names contain
 *    the id of the job that wrote the object and epoch 0, which no attempt has, so they are never names of the new
 *    job's own objects, and a copy that is repeated writes the same bytes. They are never spread by entropy, which a
 *    log draws with its first entry. *Crash:* the next start copies again.
 * 3. **Claim.** The first entry has a new job id, epoch 1, the checkpoint's number, the state of all operators, and
 *    nothing open or pending. From here on the savepoint is not needed: it can be moved or deleted, and the log is
 *    like any other. *Crash:* the next start finds the log, and does not read the savepoint.
 * 4. **Sweep.** What an earlier start had copied and the claim does not name is removed as a leftover of epoch 0.
 *
 * Two processes that start at the same time both copy; one of them gets the first entry, and the other continues from
 * that as from any log.
 */
export interface AdoptOptions extends CopyAround {
  /** The URI of the savepoint's folder, as given. */
  readonly uri: string;
  readonly savepoint: StoreLocation;
  /** The job's checkpoint directory: its store, and its own prefix. */
  readonly location: Located;
  readonly prefix: string;
  readonly sign: Signing | undefined;
}

/** Errors: those of `readSavepoint`; `SavepointCorrupt` for an object that is missing or has another size. */
export function adoption(options: AdoptOptions): Adoption {
  const uri = `${hideUserInfo(options.uri).replace(/\/+$/, '')}/`;
  return { uri, adopted: defer(() => adopt(uri, options)) };
}

function adopt(uri: string, options: AdoptOptions): Observable<Draft> {
  const { savepoint, location, prefix, sign } = options;
  const where = savepointUri(savepoint);
  return readSavepoint(savepoint, sign).pipe(
    concatMap(({ checkpoint, operators, finished, data }) => {
      const sizes = new Map(data);
      const objects = [...sizes.keys()].map((name) => ({
        name,
        from: savepointPrefix(savepoint) + name,
        to: dataKey({ prefix }, name),
      }));
      const check = (name: string, bytes: number | undefined): void => {
        if (bytes === sizes.get(name)) return;
        throw corruptSavepoint(where, wrongSize(name, bytes, sizes.get(name) ?? 0));
      };
      const draft: Draft = { checkpoint, operators, final: finished === true, from: { uri, checkpoint } };
      return lookUp(objects, savepoint, check).pipe(
        concatMap((found) => copyData(found, savepoint, location, options)),
        endWith(draft),
      );
    }),
  );
}
