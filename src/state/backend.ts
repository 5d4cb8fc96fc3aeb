import { EMPTY, Observable, Subscription, type Subscriber } from 'rxjs';
import type { Clock, Frozen, Json } from '../flow/index.js';
import type { State } from '../config/config.js';
import { defaultConfig } from '../config/service.js';
import type { CheckpointData } from '../store/services.js';
import { planCompaction } from './compaction.js';
import type { StateEvent } from './events.js';
import { Footprint } from './footprint.js';
import { defaultMaxParallelism } from './keyGroups.js';
import type { StoredKey } from './keys.js';
import { SegmentMerge } from './merge.js';
import { RunWriter } from './runWriter.js';
import { SegmentEncoder } from './segmentEncoder.js';
import { limits as defaultLimits, type SegmentLimits, type SegmentSchema } from './segmentFormat.js';
import type { SegmentRef } from './segmentObject.js';
import { SegmentReader } from './segmentReader.js';
import { SegmentWriter } from './segmentWriter.js';
import { sliced, type Step } from './slices.js';
import { parseSnapshot, resolveStates, snapshotJson, unreadable, type Run } from './snapshot.js';
import { numbered, type FrozenCells, type LiveState, type StateSpecs } from './state.js';
import { ObjectUpload } from './upload.js';

type SegmentFiles = Pick<State, 'compression' | 'extension' | 'partSize' | 'compactionTrigger'>;

export interface StateBackendOptions {
  readonly operator: string;
  readonly states: StateSpecs;
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
}

/** What one freeze took from all states, until it is stored. */
interface Pending {
  readonly frozen: readonly FrozenCells[];
  out: Subscriber<Frozen> | undefined;
  cancelled: boolean;
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
 *    the next run.
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
  readonly #states: readonly LiveState<unknown>[];
  readonly #schema: SegmentSchema;
  readonly #files: SegmentFiles;
  /** Oldest first. */
  #runs: readonly Run[] = [];
  readonly #footprint = new Footprint();
  readonly #queue: Pending[] = [];
  #writing = Subscription.EMPTY;
  #compacting: Subscription | undefined;
  #closed = false;
  #resting = false;

  constructor(options: StateBackendOptions) {
    this.#options = options;
    this.#files = options.files ?? defaultConfig().state;
    const specs = numbered(options.states);
    const home = { operator: options.operator, early: options.early ?? false };
    this.#states = specs.map(([name, spec]) => spec.open(name, home));
    this.#schema = {
      maxParallelism: options.maxParallelism ?? defaultMaxParallelism,
      states: specs.map(
        ([
          name,
          {
            kind,
            serializer: { id, version },
            type,
          },
        ]) => ({
          name,
          kind,
          serializer: { id, version },
          type,
        }),
      ),
    };
  }

  /** The handle of each state, by name; the same objects for all records. */
  get handles(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(this.#schema.states.map(({ name }, i) => [name, this.#states[i]?.handle]));
  }

  /** For the operator's hot path. */
  get states(): readonly LiveState<unknown>[] {
    return this.#states;
  }

  /** Segments that the next ack refers to. */
  get segments(): readonly SegmentRef[] {
    return this.#runs.flat();
  }

  /** What all of it takes in memory, about. Bytes. Cheap. */
  get bytes(): number {
    return this.#footprint.of(sum(this.#states, ({ size }) => size));
  }

  /** Points all handles at a key. */
  at(key: StoredKey): void {
    for (const state of this.#states) state.at(key);
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

  /** Loads a snapshot into the empty states. Errors: `StateSchemaMismatch` and those of {@link SegmentReader}. */
  restore(json: Json): Observable<never> {
    const { operator, clock, states: declared } = this.#options;
    return new Observable((out) => {
      const { runs } = parseSnapshot(operator, json, this.#schema.maxParallelism);
      const left = runs.flat();
      let reader: SegmentReader | undefined;
      let resolved: readonly number[] | undefined;
      return sliced(clock, () => {
        if (reader === undefined || (resolved !== undefined && reader.done)) {
          const ref = left.shift();
          if (ref === undefined) {
            this.#runs = runs;
            return 'done';
          }
          resolved = undefined;
          reader = this.#reader(ref);
          return reader.open();
        }
        resolved ??= resolveStates(operator, reader.footer.schema, declared);
        if (reader.done) return 'more';
        if (!reader.ready) return reader.fetch();
        this.#load(reader, resolved);
        return 'more';
      }).subscribe(out);
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
    const pending: Pending = { frozen, out: undefined, cancelled: false };
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
  }

  #load(reader: SegmentReader, resolved: readonly number[]): void {
    const block = reader.block();
    this.#footprint.saw(block.size, block.count);
    const { states } = reader.footer.schema;
    for (let i = 0; i < block.count; i++) {
      const at = block.states[i] ?? 0;
      const stored = states[at];
      const live = this.#states[resolved[at] ?? 0];
      if (stored === undefined || live === undefined) continue; // The reader rejects such cells.
      const key = block.key(i);
      try {
        live.load(key, block.path(i), block.contents[i], stored.serializer.version);
      } catch (cause) {
        throw unreadable(this.#options.operator, stored, key, reader.ref.object, cause);
      }
    }
  }

  /** Processes the queue up to the first element that must be written or is not subscribed yet. */
  #next(): void {
    for (let head = this.#queue[0]; head !== undefined && !this.#closed; head = this.#queue[0]) {
      if (head.cancelled) {
        this.#release('giveBack');
      } else if (head.out === undefined) {
        return;
      } else if (head.frozen.every(({ size }) => size === 0)) {
        this.#release('stored');
        this.#ack(head.out);
      } else {
        this.#write(head.frozen, head.out);
        return;
      }
    }
  }

  #write(frozen: readonly FrozenCells[], out: Subscriber<Frozen>): void {
    const run = this.#run();
    const writer = new SegmentWriter(frozen, run, this.#schema.maxParallelism);
    this.#writing = this.#drive(() => writer.step(), run, {
      complete: () => {
        this.#runs = [...this.#runs, run.refs];
        this.#release('stored');
        const { operator, report } = this.#options;
        for (const { ref, requests, plainBytes } of run.written) {
          const { object, cells, bytes } = ref;
          this.#footprint.saw(plainBytes, cells);
          report({ type: 'segment-written', operator, object, entries: cells, bytes, requests });
        }
        this.#ack(out);
        this.#compact();
        this.#next();
      },
      error: (error) => {
        this.#release('giveBack');
        out.error(error);
        this.#next();
      },
    });
  }

  #cancel(pending: Pending): void {
    pending.cancelled = true;
    if (this.#closed || this.#queue[0] !== pending) return;
    this.#writing.unsubscribe();
    this.#next();
  }

  /** Removes the head of the queue. */
  #release(how: 'stored' | 'giveBack'): void {
    for (const cells of this.#queue.shift()?.frozen ?? []) cells[how]();
  }

  #ack(out: Subscriber<Frozen>): void {
    if (this.#resting && this.#compacting !== undefined) {
      this.#compacting.add(() => {
        if (!this.#closed) this.#ack(out);
      });
      return;
    }
    out.next({
      snapshot: snapshotJson(this.#schema.maxParallelism, this.#runs),
      objects: this.segments.map(({ object }) => object),
    });
    out.complete();
  }

  #compact(): void {
    const plan = planCompaction(this.#runs.map(bytesOf), this.#files.compactionTrigger);
    if (plan === undefined || this.#compacting !== undefined || this.#resting || this.#closed) return;
    const { operator, states, report } = this.#options;
    const runs = this.#runs.slice(plan.first, plan.end);
    const inputs = runs.map((refs) => refs.map((ref) => this.#reader(ref)));
    const run = this.#run();
    const merge = new SegmentMerge({
      inputs,
      run,
      bottom: plan.first === 0,
      states: this.#states,
      resolve: ({ footer }) => resolveStates(operator, footer.schema, states),
    });
    const step = (): Step => (this.#resting && !run.finished ? 'done' : merge.step());
    this.#compacting = this.#drive(step, run, {
      complete: () => {
        this.#compacting = undefined;
        if (!run.finished) return;
        const at = this.#runs.findIndex((refs) => refs === runs[0]);
        const { refs, written } = run;
        this.#runs = this.#runs.toSpliced(at, runs.length, ...(refs.length === 0 ? [] : [refs]));
        const readers = inputs.flat();
        report({
          type: 'segments-compacted',
          operator,
          objects: refs.map(({ object }) => object),
          inputs: readers.length,
          entries: sum(refs, ({ cells }) => cells),
          bytesRead: sum(runs, bytesOf),
          bytes: bytesOf(refs),
          requests: sum(written, ({ requests }) => requests) + sum(readers, ({ requests }) => requests),
        });
        this.#compact();
      },
      error: (error) => {
        this.#compacting = undefined;
        report({ type: 'compaction-failed', operator, inputs: runs.flat().length, error });
      },
    });
  }

  /** Drives a writer or a merge. If it stops before it is done, aborts its upload. */
  #drive(
    step: () => Step,
    run: RunWriter,
    then: { complete: () => void; error: (error: unknown) => void },
  ): Subscription {
    const running = sliced(this.#options.clock, step).subscribe(then);
    running.add(() => {
      (run.abort() ?? EMPTY).subscribe({ error: () => undefined });
    });
    return running;
  }

  #run(): RunWriter {
    const { data, operator, clock, random, limits = defaultLimits } = this.#options;
    const { extension, partSize, compression } = this.#files;
    return new RunWriter(() => {
      const object = data.name(operator, extension);
      return {
        object,
        encoder: new SegmentEncoder(this.#schema, compression, limits),
        upload: new ObjectUpload({ store: data.store, key: data.key(object), clock, random }, partSize),
      };
    });
  }

  #reader(ref: SegmentRef): SegmentReader {
    return new SegmentReader(this.#options.data, ref);
  }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

const bytesOf = (run: Run): number => sum(run, ({ bytes }) => bytes);
