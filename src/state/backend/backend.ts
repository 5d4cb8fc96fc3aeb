import { concat, defer, EMPTY, type Observable } from 'rxjs';
import type { State } from '../../config/config.js';
import { defaultConfig } from '../../config/service.js';
import type { Clock, Frozen, Json } from '../../flow/index.js';
import type { CheckpointData } from '../../store/services.js';
import { defaultMaxParallelism, hashOf, keyGroupOf, type KeyGroupRange } from '../keys/keyGroups.js';
import type { StoredKey } from '../keys/keys.js';
import { segmentRun } from '../runs/segmentRun.js';
import type { SegmentLimits } from '../segment/format.js';
import type { SegmentRef } from '../segment/segmentObject.js';
import { sliced } from '../slices.js';
import type { LiveState, StateHome, StateSpecs, Sweeper, TimerQueue } from '../state.js';
import { outsideRange } from '../values/refusals.js';
import { Compactor } from './compactor.js';
import type { StateEvent } from './events.js';
import { Footprint } from './footprint.js';
import { Freezes } from './freezes.js';
import { RunList } from './runList.js';
import { eventTimeOf, parseSnapshot, runsOf, snapshotJson } from './snapshot.js';
import { StateIds } from './stateIds.js';
import { StateLoad } from './stateLoad.js';

type SegmentFiles = Pick<State, 'compression' | 'extension' | 'partSize' | 'compactionTrigger'>;

export interface StateBackendOptions {
  readonly operator: string;
  readonly states: StateSpecs;
  /** Names of states that a snapshot may have and that are no longer declared: their cells are dropped. Default none. */
  readonly allowDropped?: readonly string[] | undefined;
  readonly data: CheckpointData;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly report: (event: StateEvent) => void;
  /** How segments are written and merged. Default: the default configuration. */
  readonly files?: SegmentFiles;
  /** Whether to reject a value that cannot be stored when it is set. Default `false`: by the next freeze. */
  readonly early?: boolean;
  /** Limits of one segment. Default: those of the format. */
  readonly limits?: SegmentLimits;
  /** Key groups. Default 128; fixed for the life of the state. */
  readonly maxParallelism?: number;
  /** The key groups that this backend is responsible for. Default all. */
  readonly keyGroups?: KeyGroupRange;
}

/**
 * The keyed state of one operator during one attempt. All of it is in memory. In the store it is a list of runs of
 * segments; each run has the cells that changed between two barriers.
 *
 * 1. **Restore** reads the runs of the snapshot, oldest first: the newest value of a cell wins, and newer operands
 *    are applied to it.
 * 2. **Freeze**, at a barrier, takes the changed cells of every state in O(1). What was frozen is stored strictly in
 *    order (`freezes.ts`).
 * 3. **Store.** Frozen cells become one run: usually one segment, written with one request; no cells, no run. Then
 *    the barrier is acked with the list of all runs so far. A run stays in the list even if its checkpoint fails.
 * 4. **Give back.** If storing fails or is cancelled, the frozen cells go back **under** newer writes, and so into
 *    the next run, which waits until all are there.
 * 5. **Compaction** (`compactor.ts`) merges runs in the background; the next ack refers to the result. The checkpoint room deletes
 *    segments that no manifest refers to any more. A failed compaction is harmless, and is tried again after the next
 *    run.
 * 6. **The last freeze** stops a compaction at its next step, and is acked only then: with nothing in flight, every
 *    object that no manifest refers to can be found and deleted.
 *
 * The kind of a state defines its cells and their contents.
 *
 * *Crash during the upload, or after it but before the manifest is durable:* nothing refers to the object. It is a
 * leftover, which later attempts find by the epoch in its name.
 */
export class StateBackend {
  readonly #options: StateBackendOptions;
  readonly #maxParallelism: number;
  readonly #keyGroups: KeyGroupRange;
  /** Whether there are key groups outside the range. */
  readonly #partial: boolean;
  #ids: StateIds;
  /** In the order of their ids. */
  #states: readonly LiveState<unknown>[];
  #sweepers: readonly Sweeper[];
  readonly #footprint = new Footprint();
  readonly #runs: RunList;
  readonly #compactor: Compactor;
  readonly #freezes: Freezes;
  /** The time of the last watermark, in milliseconds since the epoch. */
  eventTime = -Infinity;

  constructor(options: StateBackendOptions) {
    const { operator, early = false, maxParallelism = defaultMaxParallelism } = options;
    this.#options = options;
    this.#maxParallelism = maxParallelism;
    const { first, last } = (this.#keyGroups = options.keyGroups ?? { first: 0, last: maxParallelism - 1 });
    this.#partial = first > 0 || last < maxParallelism - 1;
    this.#ids = new StateIds(options);
    const home: StateHome = {
      operator,
      early,
      now: (time) => (time === 'event' ? this.eventTime : options.clock.now()),
      settled: (time) => (time === 'event' ? this.#freezes.settled : options.clock.now()),
    };
    this.#states = this.#ids.declared.map(({ name, spec }) => spec.open(name, home));
    this.#sweepers = this.#states.flatMap((state) => state.sweeper?.() ?? []);
    const files = options.files ?? defaultConfig().state;
    const common = {
      ...options,
      maxParallelism,
      keyGroups: this.#keyGroups,
      footprint: this.#footprint,
      runs: (this.#runs = new RunList(options.data)),
      writer: () => segmentRun({ ...options, files, schema: this.#ids.schema(maxParallelism) }),
    };
    this.#compactor = new Compactor({
      ...common,
      trigger: files.compactionTrigger,
      current: () => ({ ids: this.#ids, states: this.#states }),
    });
    this.#freezes = new Freezes({
      ...common,
      compactor: this.#compactor,
      ack: (eventTime) => this.#ack(eventTime),
    });
  }

  /** The handle of each state, by name; the same objects for all records. */
  get handles(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(this.#ids.declared.map(({ name }, i) => [name, this.#states[i]?.handle]));
  }

  /** The timers of states that have some, by name. */
  get timers(): readonly (readonly [state: string, timers: TimerQueue])[] {
    return this.#ids.declared.flatMap(({ name }, i) => {
      const timers = this.#states[i]?.timers;
      return timers === undefined ? [] : [[name, timers] as const];
    });
  }

  /** For the operator's hot path. */
  get states(): readonly LiveState<unknown>[] {
    return this.#states;
  }

  /** Segments that the next ack refers to. */
  get segments(): readonly SegmentRef[] {
    return this.#runs.segments;
  }

  /** The approximate size of the state in memory, in bytes. Cheap. */
  get bytes(): number {
    return this.#footprint.of(this.#states.reduce((sum, { size }) => sum + size, 0));
  }

  /** Points all handles at a key. Errors: `KeyOutsideRange`. */
  at(key: StoredKey): void {
    if (this.#partial) this.#checkRange(key);
    if (this.#sweepers.length > 0) this.#sweep();
    for (const state of this.#states) state.at(key);
  }

  #sweep(): void {
    for (const sweeper of this.#sweepers) sweeper.step();
  }

  /** Logs what changes in all states, so that {@link undo} can revert it until {@link forget}. */
  remember(): void {
    for (const state of this.#states) state.remember();
  }

  undo(): void {
    for (const state of this.#states) state.undo();
  }

  forget(): void {
    for (const state of this.#states) state.forget();
  }

  /** Invalidates the handles until the next {@link at}. */
  leave(): void {
    for (const state of this.#states) state.leave();
  }

  /**
   * Loads the state of the key groups into the empty states. Errors: `StateSchemaMismatch` and those of {@link
   * SegmentReader}.
   *
   * @param snapshots of this operator, which together have each key group once; others are ignored
   */
  restore(snapshots: readonly Json[]): Observable<never> {
    const { operator, clock } = this.#options;
    return defer(() => {
      const parsed = snapshots.map((json) => parseSnapshot(operator, json, this.#maxParallelism));
      const runs = runsOf(operator, parsed, this.#keyGroups);
      // Decides what has expired.
      this.eventTime = Math.max(this.eventTime, eventTimeOf(parsed, this.#keyGroups));
      this.#number(
        new StateIds(
          this.#options,
          parsed.map(({ states }) => states),
        ),
      );
      const readers = runs.flatMap((run) => this.#runs.readers(run));
      const load = new StateLoad({
        operator,
        ids: this.#ids,
        states: this.#states,
        readers,
        footprint: this.#footprint,
      });
      return concat(
        sliced(clock, () => load.step()),
        defer(() => {
          this.#runs.restore(runs);
          return EMPTY;
        }),
      );
    });
  }

  /**
   * Freezes synchronously. The result, to be subscribed exactly once, stores what was frozen and emits the ack.
   * Unsubscribing cancels: what was frozen becomes part of the next checkpoint.
   *
   * @param last no other freeze follows
   */
  freeze(last = false): Observable<Frozen> {
    if (last) this.#compactor.rest();
    const frozen = this.#states.map((state) => state.freeze());
    return this.#freezes.add(frozen, this.eventTime);
  }

  /** Stops all work in progress. */
  close(): void {
    this.#freezes.close();
    this.#compactor.close();
  }

  /** Puts the states in the order of their ids. */
  #number(ids: StateIds): void {
    const live = new Map(this.#ids.declared.map(({ name }, i) => [name, this.#states[i]]));
    this.#ids = ids;
    this.#states = ids.declared.flatMap(({ name }) => live.get(name) ?? []);
  }

  #checkRange(key: StoredKey): void {
    const { first, last } = this.#keyGroups;
    const group = keyGroupOf(hashOf(key), this.#maxParallelism);
    if (group < first || group > last)
      throw outsideRange(this.#options.operator, key, group, this.#keyGroups);
  }

  #ack(eventTime: number): Frozen {
    return {
      snapshot: snapshotJson({
        maxParallelism: this.#maxParallelism,
        keyGroups: this.#keyGroups,
        states: this.#ids.all,
        runs: this.#runs.all,
        eventTime: Number.isFinite(eventTime) ? eventTime : undefined,
      }),
      // After rescaling, several runs may have parts of one segment.
      objects: [...new Set(this.segments.map(({ object }) => object))],
    };
  }
}
