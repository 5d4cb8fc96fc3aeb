import { concat, defer, EMPTY, Observable, Subscription, type Subscriber } from 'rxjs';
import type { Clock, Frozen, Json } from '../../flow/index.js';
import type { State } from '../../config/config.js';
import { defaultConfig } from '../../config/service.js';
import type { CheckpointData } from '../../store/services.js';
import { planCompaction } from '../runs/compaction.js';
import type { StateEvent } from './events.js';
import { Footprint } from './footprint.js';
import { defaultMaxParallelism, hashOf, keyGroupOf, type KeyGroupRange } from '../keys/keyGroups.js';
import type { StoredKey } from '../keys/keys.js';
import { SegmentMerge } from '../runs/merge.js';
import { outsideRange } from '../values/refusals.js';
import type { RunWriter } from '../runs/runWriter.js';
import type { SegmentLimits } from '../segment/format.js';
import type { SegmentRef } from '../segment/segmentObject.js';
import { SegmentReader } from '../segment/reader.js';
import { segmentRun, slicedRun } from '../runs/segmentRun.js';
import { SegmentWriter } from '../runs/segmentWriter.js';
import { sliced, type Step } from '../slices.js';
import { bytesOf, eventTimeOf, parseSnapshot, runsOf, snapshotJson, type Run } from './snapshot.js';
import type { FrozenCells, LiveState, StateHome, StateSpecs, Sweeper, TimerQueue } from '../state.js';
import { StateIds } from './stateIds.js';
import { StateLoad } from './stateLoad.js';

/** Cells that are removed or given back in one step. */
const slice = 1024;

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

/** What one freeze took from all states, until it is stored. */
interface Pending {
  readonly frozen: readonly FrozenCells[];
  readonly eventTime: number;
  out: Subscriber<Frozen> | undefined;
  cancelled: boolean;
  /** The work that is in progress on it, as the head of the queue. */
  work: 'none' | 'writing' | 'giving back';
}

/**
 * The keyed state of one operator during one attempt. All of it is in memory. In the store it is a list of runs of
 * segments; each run has the cells that changed between two barriers.
 *
 * 1. **Restore** reads the runs of the snapshot, oldest first: the newest value of a cell wins, and newer operands
 *    are applied to it.
 * 2. **Freeze**, at a barrier, takes the changed cells of every state in O(1). What was frozen is stored strictly in
 *    order.
 * 3. **Store.** Frozen cells become one run: usually one segment, written with one request; no cells, no run. Then
 *    the barrier is acked with the list of all runs so far. A run stays in the list even if its checkpoint fails.
 * 4. **Give back.** If storing fails or is cancelled, the frozen cells go back **under** newer writes, and so into
 *    the next run, which waits until all are there.
 * 5. **Compaction** merges runs in the background; the next ack refers to the result. The checkpoint room deletes
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
  readonly #files: SegmentFiles;
  readonly #maxParallelism: number;
  readonly #keyGroups: KeyGroupRange;
  /** Whether there are key groups outside the range. */
  readonly #partial: boolean;
  #ids: StateIds;
  /** In the order of their ids. */
  #states: readonly LiveState<unknown>[];
  #sweepers: readonly Sweeper[];
  /** The event time of the last freeze that was stored. */
  #settled = -Infinity;
  /** Oldest first. */
  #runs: readonly Run[] = [];
  readonly #footprint = new Footprint();
  readonly #queue: Pending[] = [];
  #writing = Subscription.EMPTY;
  #compacting: Subscription | undefined;
  readonly #removing = new Subscription();
  #closed = false;
  /** The time of the last watermark, in milliseconds since the epoch. */
  eventTime = -Infinity;
  #resting = false;

  constructor(options: StateBackendOptions) {
    const { operator, early = false, maxParallelism = defaultMaxParallelism } = options;
    this.#options = options;
    this.#files = options.files ?? defaultConfig().state;
    this.#maxParallelism = maxParallelism;
    const { first, last } = (this.#keyGroups = options.keyGroups ?? { first: 0, last: maxParallelism - 1 });
    this.#partial = first > 0 || last < maxParallelism - 1;
    this.#ids = new StateIds(options);
    const home: StateHome = {
      operator,
      early,
      now: (time) => (time === 'event' ? this.eventTime : options.clock.now()),
      settled: (time) => (time === 'event' ? this.#settled : options.clock.now()),
    };
    this.#states = this.#ids.declared.map(({ name, spec }) => spec.open(name, home));
    this.#sweepers = this.#states.flatMap((state) => state.sweeper?.() ?? []);
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
    return this.#runs.flatMap(({ segments }) => segments);
  }

  /** The approximate size of the state in memory, in bytes. Cheap. */
  get bytes(): number {
    return this.#footprint.of(sum(this.#states, ({ size }) => size));
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
      const readers = runs.flatMap((run) => this.#readers(run));
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
          this.#runs = runs;
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
    this.#resting ||= last;
    const frozen = this.#states.map((state) => state.freeze());
    const pending: Pending = {
      frozen,
      eventTime: this.eventTime,
      out: undefined,
      cancelled: false,
      work: 'none',
    };
    this.#queue.push(pending);
    return new Observable((out) => {
      pending.out = out;
      if (this.#queue[0] === pending) this.#next();
      return () => {
        this.#cancel(pending);
      };
    });
  }

  /** Stops all work in progress. */
  close(): void {
    this.#closed = true;
    this.#writing.unsubscribe();
    this.#compacting?.unsubscribe();
    this.#removing.unsubscribe();
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

  /** Processes the queue up to the first element that must be written or is not subscribed yet. */
  #next(): void {
    for (let head = this.#queue[0]; head !== undefined && !this.#closed; head = this.#queue[0]) {
      // The subscriber of the ack before it may have begun it already.
      if (head.work !== 'none') return;
      if (head.cancelled) {
        this.#giveBack(head);
        return;
      } else if (head.out === undefined) {
        return;
      } else if (head.frozen.every(({ size }) => size === 0)) {
        this.#stored(head);
        this.#ack(head.out, head.eventTime);
      } else {
        this.#write(head, head.out);
        return;
      }
    }
  }

  #write(head: Pending, out: Subscriber<Frozen>): void {
    head.work = 'writing';
    const run = this.#run();
    const writer = new SegmentWriter(head.frozen, run, this.#maxParallelism);
    this.#writing = slicedRun(this.#options.clock, () => writer.step(), run).subscribe({
      complete: () => {
        this.#runs = [...this.#runs, { keyGroups: this.#keyGroups, segments: run.refs }];
        this.#stored(head);
        const { operator, report } = this.#options;
        for (const { ref, requests, plainBytes } of run.written) {
          const { object, cells, bytes } = ref;
          this.#footprint.saw(plainBytes, cells);
          report({ type: 'segment-written', operator, object, entries: cells, bytes, requests });
        }
        this.#ack(out, head.eventTime);
        this.#compact();
        this.#next();
      },
      error: (error: unknown) => {
        this.#giveBack(head, () => out.error(error));
      },
    });
  }

  #cancel(pending: Pending): void {
    pending.cancelled = true;
    if (this.#closed || this.#queue[0] !== pending || pending.work === 'giving back') return;
    this.#writing.unsubscribe();
    this.#giveBack(pending);
  }

  /** Removes the head of the queue, which is stored. */
  #stored(head: Pending): void {
    this.#queue.shift();
    for (const cells of head.frozen) cells.stored();
    // Acks still to come are of this freeze or a later one.
    this.#settled = head.eventTime;
    this.#removeCleared(head.frozen);
  }

  /** Gives back the cells of the head, and removes it from the queue. Usually there are few: then immediately. */
  #giveBack(head: Pending, then?: () => void): void {
    head.work = 'giving back';
    const left = [...head.frozen];
    const step = (): Step => {
      let most = slice;
      for (let cells = left[0]; cells !== undefined; cells = left[0]) {
        const given = cells.giveBack(most);
        if (given === most) return 'more';
        most -= given;
        left.shift();
      }
      return 'done';
    };
    const end = (): void => {
      this.#queue.shift();
      then?.();
      this.#next();
    };
    if (step() === 'done') end();
    else this.#writing = sliced(this.#options.clock, step).subscribe({ complete: end });
  }

  /** Usually there are few, which are removed immediately. */
  #removeCleared(frozen: readonly FrozenCells[]): void {
    const step = (): Step => {
      let left = slice;
      for (const cells of frozen) left -= cells.removeCleared(left);
      return left > 0 ? 'done' : 'more';
    };
    if (step() === 'more') this.#removing.add(sliced(this.#options.clock, step).subscribe());
  }

  #ack(out: Subscriber<Frozen>, eventTime: number): void {
    if (this.#resting && this.#compacting !== undefined) {
      this.#compacting.add(() => {
        if (!this.#closed) this.#ack(out, eventTime);
      });
      return;
    }
    out.next({
      snapshot: snapshotJson({
        maxParallelism: this.#maxParallelism,
        keyGroups: this.#keyGroups,
        states: this.#ids.all,
        runs: this.#runs,
        eventTime: Number.isFinite(eventTime) ? eventTime : undefined,
      }),
      // After rescaling, several runs may have parts of one segment.
      objects: [...new Set(this.segments.map(({ object }) => object))],
    });
    out.complete();
  }

  #compact(): void {
    const plan = planCompaction(this.#runs.map(bytesOf), this.#files.compactionTrigger);
    if (plan === undefined || this.#compacting !== undefined || this.#resting || this.#closed) return;
    const { operator, report } = this.#options;
    const runs = this.#runs.slice(plan.first, plan.end);
    const inputs = runs.map((each) => this.#readers(each));
    const run = this.#run();
    const merge = new SegmentMerge({
      inputs,
      run,
      bottom: plan.first === 0,
      states: this.#states,
      resolve: ({ ref, footer }) => this.#ids.resolve(ref.object, footer.schema),
    });
    const step = (): Step => (this.#resting && !run.finished ? 'done' : merge.step());
    this.#compacting = slicedRun(this.#options.clock, step, run).subscribe({
      complete: () => {
        this.#compacting = undefined;
        if (!run.finished) return;
        const at = this.#runs.findIndex((each) => each === runs[0]);
        const { refs, written } = run;
        const merged: Run = { keyGroups: this.#keyGroups, segments: refs };
        this.#runs = this.#runs.toSpliced(at, runs.length, ...(refs.length === 0 ? [] : [merged]));
        const readers = inputs.flat();
        report({
          type: 'segments-compacted',
          operator,
          objects: refs.map(({ object }) => object),
          inputs: readers.length,
          entries: sum(refs, ({ cells }) => cells),
          bytesRead: sum(runs, bytesOf),
          bytes: bytesOf(merged),
          requests: sum(written, ({ requests }) => requests) + sum(readers, ({ requests }) => requests),
        });
        this.#compact();
      },
      error: (error: unknown) => {
        this.#compacting = undefined;
        report({ type: 'compaction-failed', operator, inputs: inputs.flat().length, error });
      },
    });
  }

  #run(): RunWriter {
    const schema = this.#ids.schema(this.#maxParallelism);
    return segmentRun({ ...this.#options, files: this.#files, schema });
  }

  #readers({ segments, keyGroups }: Run): readonly SegmentReader[] {
    return segments.map((ref) => new SegmentReader(this.#options.data, ref, keyGroups));
  }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
