import { concatMap, from, map, toArray, type Observable } from 'rxjs';
import { InvalidOption } from '../../config/units.js';
import { ForeignName, type Attempt } from '../../flow/index.js';
import { hideUserInfo } from '../../path/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import { relationsOf } from '../../store/relation.js';
import type { CheckpointFolder, StoreLocation } from '../../store/services.js';
import { uriOf, type FileCommittable } from './committable.js';
import { formatUid, parseUid } from './uids.js';

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
 * The folders where a sink may publish: its own, and the earlier ones in its options. A file that a checkpoint names
 * must be in one of them, under a name that this sink of this job creates.
 */
export class Places {
  constructor(
    private readonly id: string,
    private readonly attempt: Pick<Attempt, 'jobId' | 'epoch'>,
    readonly all: readonly Place[],
  ) {}

  /** The store of a file. Errors: `ForeignName`. */
  storeOf(file: FileCommittable): ObjectStore {
    const of = this.all.filter(({ store }) => store.uri === file.store);
    const place = of.find(({ prefix }) => file.key.startsWith(prefix) && file.key.length > prefix.length);
    if (place === undefined) {
      throw this.#foreign(
        file,
        'outside of the folder of this sink',
        `If the sink was moved, name its former URI in the options of fileSink: earlier: ['${hideUserInfo(file.store)}/…'].`,
      );
    }
    const rest = file.key.slice(place.prefix.length);
    if (!isOrdinary(rest) || !this.#isMine(file))
      throw this.#foreign(file, 'not a file name of this sink', 'Only the sink names its files.');
    return place.store;
  }

  #isMine({ uid, key }: FileCommittable): boolean {
    const found = parseUid(key);
    return (
      found !== undefined &&
      formatUid(found) === uid &&
      found.jobId === this.attempt.jobId &&
      found.sink === this.id &&
      found.epoch <= this.attempt.epoch
    );
  }

  #foreign(file: FileCommittable, why: string, advice: string): ForeignName {
    return new ForeignName(`The checkpoint of fileSink '${this.id}'`, hideUserInfo(uriOf(file)), why, advice);
  }
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
