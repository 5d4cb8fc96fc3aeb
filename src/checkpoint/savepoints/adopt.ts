import { concatMap, defer, map, type Observable } from 'rxjs';
import { hideUserInfo } from '../../path/index.js';
import type { Clock } from '../../flow/index.js';
import type { Located } from '../../store/relation.js';
import type { StoreLocation } from '../../store/services.js';
import type { Adoption } from '../contract.js';
import { dataKey } from '../dataPlace.js';
import type { Draft } from '../inventory.js';
import type { Signing } from '../signature.js';
import { copyData } from './copy.js';
import { readSavepoint, savepointPrefix, savepointUri } from './read.js';
import { corruptSavepoint } from './root.js';

/**
 * Starting from a savepoint. A job whose log is empty takes the savepoint's content as its own:
 *
 * 1. **Read** the root, and check it. *Crash:* nothing has changed.
 * 2. **Copy** every object into the job's directory, under the name that it has in the savepoint. The names contain
 *    the id of the job that wrote the object and epoch 0, which no attempt has, so they are never names of the new
 *    job's own objects, and a copy that is repeated writes the same bytes. *Crash:* the next start copies again.
 * 3. **Claim.** The first entry has a new job id, epoch 1, the checkpoint's number, the state of all operators, and
 *    nothing open or pending. From here on the savepoint is not needed: it can be moved or deleted, and the log is
 *    like any other. *Crash:* the next start finds the log, and does not read the savepoint.
 * 4. **Sweep.** What an earlier start had copied and the claim does not name is removed as a leftover of epoch 0.
 *
 * Two processes that start at the same time both copy; one of them gets the first entry, and the other continues from
 * that as from any log.
 */
export interface AdoptOptions {
  /** The URI of the savepoint's folder, as given. */
  readonly uri: string;
  readonly savepoint: StoreLocation;
  /** The job's checkpoint directory: its store, and its own prefix. */
  readonly location: Located;
  readonly prefix: string;
  readonly sign: Signing | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Errors: those of `readSavepoint`; `SavepointCorrupt` for an object that is missing or has another size. */
export function adoption(options: AdoptOptions): Adoption {
  const uri = `${hideUserInfo(options.uri).replace(/\/+$/, '')}/`;
  return { uri, adopted: defer(() => adopt(uri, options)) };
}

function adopt(
  uri: string,
  { savepoint, location, prefix, sign, clock, random }: AdoptOptions,
): Observable<Draft> {
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
        const found = bytes === undefined ? 'is missing' : `has ${bytes} bytes, not ${sizes.get(name) ?? 0}`;
        throw corruptSavepoint(where, `its object ${name} ${found}`);
      };
      const draft: Draft = { checkpoint, operators, final: finished === true, from: { uri, checkpoint } };
      return copyData(objects, savepoint, location, { clock, random }, check).pipe(map(() => draft));
    }),
  );
}
