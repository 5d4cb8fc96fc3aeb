import { ForeignName, type Attempt } from '../../flow/index.js';
import { hideUserInfo, uriBelow } from '../../path/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import { isOrdinary, type Place } from '../twoPhase/places.js';
import { formatUid, parseUid } from '../../path/uids.js';
import type { FileCommittable } from './committable.js';

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
    return this.placeOf(file).store;
  }

  /** The folder of a file. Errors: `ForeignName`. */
  placeOf(file: FileCommittable): Place {
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
    return place;
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
    return new ForeignName(
      `The checkpoint of fileSink '${this.id}'`,
      hideUserInfo(uriBelow(file.store, file.key)),
      why,
      advice,
    );
  }
}
