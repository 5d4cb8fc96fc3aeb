import { EMPTY, Observable, Subscription, type Subscriber } from 'rxjs';
import type { Clock, Frozen, Json } from '../flow/index.js';
import type { State } from '../config/config.js';
import { defaultConfig } from '../config/service.js';
import type { CheckpointData } from '../store/services.js';
import { planCompaction } from './compaction.js';
import type { StateEvent } from './events.js';
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
  /** How segments are written and merged. Default: as configured where nothing is. */
  readonly files?: SegmentFiles;
  /** Whether a value that cannot be stored must be refused when it is set. Default `false`: at the next freeze, at the latest. */
  readonly early?: boolean;
  /** No segment has more. Default: what segments may have at all. */
  readonly limits?: SegmentLimits;
  /** Key groups. Default 128; fixed for the life of the state. */
  readonly maxParallelism?: number;
}

/** A frozen part of all states on its way into a segment. */
interface Pending {
  readonly frozen: readonly FrozenCells[];
  out: Subscriber<Frozen> | undefined;
  cancelled: boolean;
}

/**
 * The keyed state of one operator during one attempt. All of it is in memory; the store has it as a list of runs of
 * segments, each with the cells that changed between two barriers.
 *
 * 1. **Restore** reads the runs of the snapshot, oldest first: the newest value of a cell wins, operands are applied to it.
 * 2. **Freeze**, at a barrier, takes from every state the cells that changed: O(1). Frozen parts are stored strictly in order.
 * 3. A frozen part becomes one run, nearly always one segment by one request; one without cells becomes none, by none. Then it
 *    is acked with the list of all runs up to it. A run stays in the list whatever becomes of its checkpoint.
 * 4. A part that cannot be stored, or is cancelled, goes back under whatever was written since, and so into the next run.
 * 5. **Compaction** merges runs meanwhile; the next ack refers to the result. What no manifest refers to any more
 *    is the checkpoint's to delete. A compaction that fails costs nothing, and is tried again after the next run.
 * 6. **The last freeze** ends a compaction at its next request, and is acked when that one is answered: nothing is under way
 *    then, so whatever no manifest refers to can be found and deleted.
 *
 * Which cells a state has, and what they hold, is its kind's affair.
 *
 * Crash points: before the upload is done nothing refers to its object; after it, before the manifest is durable,
 * nothing does either. Such leftovers have the attempt's epoch in their names, so later attempts find them.
 */
export class StateBackend {
  readonly #options: StateBackendOptions;
  readonly #states: readonly LiveState<unknown>[];
  readonly #schema: SegmentSchema;
  readonly #files: SegmentFiles;
  /** From old to young. */
  #runs: readonly Run[] = [];
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

  /** One for each state, by name; the same for all records. */
  get handles(): Readonly<Record<string, unknown>> {
    return Object.fromEntries(this.#schema.states.map(({ name }, i) => [name, this.#states[i]?.handle]));
  }

  /** The live states, for the operator's hot path. */
  get states(): readonly LiveState<unknown>[] {
    return this.#states;
  }

  /** Segments that the next ack refers to. */
  get segments(): readonly SegmentRef[] {
    return this.#runs.flat();
  }

  /** Turns all handles to a key. */
  at(key: StoredKey): void {
    for (const state of this.#states) state.at(key);
  }

  /** What all states hold for the key can be brought back by {@link undo}, until {@link leave}. */
  remember(): void {
    for (const state of this.#states) state.remember();
  }

  undo(): void {
    for (const state of this.#states) state.undo();
  }

  /** The handles are of no use until the next {@link at}. */
  leave(): void {
    for (const state of this.#states) state.leave();
  }

  /** Loads a snapshot into the still empty states. Errors: `StateSchemaMismatch` and those of {@link SegmentReader}. */
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
   * Freezes at once. The result, to be subscribed exactly once, stores what was frozen and emits the ack; unsubscribing
   * cancels, and what was frozen is part of the next checkpoint.
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

  /** Stops everything under way. */
  close(): void {
    this.#closed = true;
    this.#writing.unsubscribe();
    this.#compacting?.unsubscribe();
  }

  #load(reader: SegmentReader, resolved: readonly number[]): void {
    const block = reader.block();
    const { states } = reader.footer.schema;
    for (let i = 0; i < block.count; i++) {
      const at = block.states[i] ?? 0;
      const stored = states[at];
      const live = this.#states[resolved[at] ?? 0];
      if (stored === undefined || live === undefined) continue; // The reader lets no such cell pass.
      const key = block.key(i);
      try {
        live.load(key, block.path(i), block.contents[i], stored.serializer.version);
      } catch (cause) {
        throw unreadable(this.#options.operator, stored, key, reader.ref.object, cause);
      }
    }
  }

  /** Stores what is first in the queue, as far as it is ready. */
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
        for (const { ref, requests } of run.written) {
          const { object, cells, bytes } = ref;
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

  /** The oldest frozen part is dealt with. */
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

  /** Drives a writer or a merge; whatever stops it before it is done gives up its upload. */
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
