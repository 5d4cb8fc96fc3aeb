import { map, type Observable } from 'rxjs';
import type { KeyGroupRange } from '../../state/index.js';
import type { CheckpointData } from '../../store/services.js';
import { dataKey } from '../dataPlace.js';
import { drawId } from '../firstState.js';
import type { Manifest, OperatorState } from '../manifest.js';
import { savepointPrefix, type SavepointPlace } from './read.js';
import { encodeRoot, rootName, rootOf, savepointName } from './root.js';

/** What a savepoint contains that is not the copy of a job's checkpoint. */
export interface SavepointContent {
  readonly job: string;
  readonly checkpoint: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Whose state it is. Absent: all. */
  readonly keyGroups?: KeyGroupRange;
  readonly operators: Readonly<Record<string, Omit<OperatorState, 'open'>>>;
  /** The bytes of each data object, by name. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly finished: boolean;
}

/** Writes a savepoint: first its data objects, then the root. */
export class SavepointWriter {
  readonly #place: SavepointPlace;
  /** As if a job had written the data: names are unique over all logs. */
  readonly #jobId: string;
  readonly #putId: string;
  #counter = 0;

  constructor(place: SavepointPlace, random: () => number) {
    this.#place = place;
    this.#jobId = drawId(random);
    this.#putId = drawId(random);
  }

  /** Where data objects go. */
  get data(): CheckpointData {
    const place = { prefix: savepointPrefix(this.#place) };
    return {
      store: this.#place.store,
      key: (name) => dataKey(place, name),
      name: (operator, suffix) =>
        savepointName(
          { jobId: this.#jobId },
          `data/${encodeURIComponent(operator)}-${++this.#counter}${suffix}`,
        ),
    };
  }

  /**
   * Writes the root, once all data objects are stored. Emits its name. Errors: `ManifestTooLarge`, and those of the
   * store.
   *
   * @param key signs it
   */
  finish({ operators, sizes, ...rest }: SavepointContent, key?: string): Observable<string> {
    const manifest: Manifest = {
      ...rest,
      version: 1,
      kind: 'savepoint',
      jobId: this.#jobId,
      putId: this.#putId,
      ...{ n: 1, prev: null, parent: null, epoch: 0, pending: [], garbage: [], retained: [] },
      operators: Object.fromEntries(
        Object.entries(operators).map(([id, operator]) => [id, { ...operator, open: [] }]),
      ),
    };
    const root = encodeRoot(rootOf(manifest, sizes), key);
    return this.#place.store.put(savepointPrefix(this.#place) + rootName, root).pipe(map(() => rootName));
  }
}
