import { concatMap, from, map, toArray, type Observable } from 'rxjs';
import { InvalidOption } from '../../config/units.js';
import { hideUserInfo } from '../../path/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import { relationsOf } from '../../store/relation.js';
import type { CheckpointFolder, StoreLocation } from '../../store/services.js';

/** A folder of a store that a sink writes files to. */
export interface Place {
  readonly store: ObjectStore;
  /** The start of every file's key: empty, or ends in a slash. */
  readonly prefix: string;
}

export function placeOf({ store, key }: Pick<StoreLocation, 'store' | 'key'>): Place {
  const folder = key.replace(/\/+$/, '');
  return { store, prefix: folder === '' ? '' : `${folder}/` };
}

/**
 * The key prefixes below a sink's folder that belong to the job's checkpoints: a file there could be taken for part
 * of the log, and be removed with it. Emits once. Errors: `InvalidOption` if the folder itself is in a checkpoint
 * directory.
 *
 * @param of names the option with the folder in the error: `fileSink 'out': uri`
 */
export function checkpointsBelow(
  of: string,
  uri: string,
  location: StoreLocation,
  folders: readonly CheckpointFolder[],
): Observable<readonly string[]> {
  const { prefix } = placeOf(location);
  return from(folders).pipe(
    concatMap((folder) =>
      relationsOf(folder.location, folder.prefix, location, prefix).pipe(
        map(({ target, way }) => {
          if (target === 'around') return prefix + way;
          throw inCheckpoints(of, uri, `${folder.location.store.uri}/${folder.prefix}`);
        }),
      ),
    ),
    toArray(),
  );
}

function inCheckpoints(of: string, uri: string, folder: string): InvalidOption {
  const rule = 'a folder outside of the checkpoint directory';
  return new InvalidOption(
    of,
    hideUserInfo(uri),
    rule,
    `${of}: ${hideUserInfo(uri)} is in the checkpoint directory of the job, ${folder}, where its files could be taken for checkpoints and be removed with them. Use ${rule}, such as one beside it.`,
  );
}

/** Whether no name is `.` or `..`, which servers and proxies may resolve, and there is no NUL. */
export function isOrdinary(path: string): boolean {
  return !/(?:^|\/)\.{1,2}(?:\/|$)|\0/.test(path);
}
