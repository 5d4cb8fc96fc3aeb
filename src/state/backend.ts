import { EMPTY, Observable, Subscription, type Subscriber } from 'rxjs';
import type { Clock, Frozen, Json } from '../flow/index.js';
import type { State } from '../config/config.js';
import { defaultConfig } from '../config/service.js';
import type { CheckpointData } from '../store/services.js';
import { planCompaction } from './compaction.js';
import type { StateEvent } from './events.js';
import { defaultMaxParallelism } from './keyGroups.js';
import type { Block } from './block.js';
import type { StoredKey } from './keys.js';
import { SegmentMerge } from './merge.js';
import { corrupt, SegmentEncoder, type SegmentSchema, type StateSchema } from './segmentFormat.js';
import { SegmentReader, type SegmentRef } from './segmentReader.js';
import { SegmentWriter, type FrozenState } from './segmentWriter.js';
import { sliced, type Step } from './slices.js';
import { parseSnapshot, resolveStates, snapshotJson, unreadable } from './snapshot.js';
import { numbered, type LiveState, type StateSpecs } from './state.js';
import { ObjectUpload } from './upload.js';

type SegmentFiles = Pick<State, 'compression' | 'extension' | 'partSize' | 'compactionTrigger'>;

export interface StateBackendOptions {
  readonly operator: string;
  readonly states: StateSpecs;
  readonly data: CheckpointData;
  readonly clock: Clock;
  readonly report: (event: StateEvent) => void;
  /** How segments are written and merged. Default: as configured where nothing is. */
  readonly files?: SegmentFiles;
  /** Whether a value that cannot be stored must be refused when it is set. Default `false`: at the next freeze, at the latest. */
  readonly early?: boolean;
  /** Key groups. Default 128; fixed for the life of the state. */
  readonly maxParallelism?: number;
}

/** A frozen part of all states on its way into a segment. */
interface Pending {
  readonly frozen: readonly FrozenState[];
  out: Subscriber<Frozen> | undefined;
  cancelled: boolean;
}

/**
 * The keyed state of one operator during one attempt. All of it is in memory; the store has it as a list of
 * segments, each with what changed between two barriers.
 *
 * 1. **Restore** reads the segments of the snapshot, oldest first: the newest entry of a key wins.
 * 2. **Freeze**, at a barrier, swaps every state's dirty array: O(1). Frozen parts are stored strictly in order.
 * 3. A frozen part becomes one segment, by one request; one without entries becomes none, by none. Then it is acked with the
 *    list of all segments up to it. A segment stays in the list whatever becomes of its checkpoint.
 * 4. A part that cannot be stored, or is cancelled, goes back under whatever was written since, and so into the next segment.
 * 5. **Compaction** merges segments meanwhile; the next ack refers to the result. What no manifest refers to any more
 *    is the checkpoint's to delete. A compaction that fails costs nothing, and is tried again after the next segment.
 * 6. **The last freeze** ends a compaction at its next request, and is acked when that one is answered: nothing is under way
 *    then, so whatever no manifest refers to can be found and deleted.
 *
 * Crash points: before the upload is done nothing refers to its object; after it, before the manifest is durable,
 * nothing does either. Such leftovers bear the attempt's epoch, by which later attempts find them.
 */
export class StateBackend {
  readonly #options: StateBackendOptions;
  readonly #states: readonly LiveState<unknown>[];
  readonly #schema: SegmentSchema;
  readonly #files: SegmentFiles;
  #segments: readonly SegmentRef[] = [];
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
    return this.#segments;
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
      const { segments } = parseSnapshot(operator, json, this.#schema.maxParallelism);
      let index = -1;
      let reader: SegmentReader | undefined;
      let resolved: readonly number[] | undefined;
      return sliced(clock, () => {
        if (reader === undefined || (resolved !== undefined && reader.done)) {
          const ref = segments[++index];
          if (ref === undefined) {
            this.#segments = segments;
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
    const frozen = this.#states.map((state) => ({ state, set: state.table.freeze() }));
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
    for (let i = 0; i < block.entries; i++) {
      const stored = block.states[i] ?? 0;
      this.#restoreEntry(reader, block, i, states[stored], this.#states[resolved[stored] ?? 0]);
    }
  }

  #restoreEntry(
    reader: SegmentReader,
    block: Block,
    entry: number,
    stored: StateSchema | undefined,
    live: LiveState<unknown> | undefined,
  ): void {
    if (stored === undefined || live === undefined)
      throw corrupt(reader.ref.object, 'a value is of no state');
    const key = block.key(entry);
    try {
      live.restore(key, block.values[entry], stored.serializer.version);
    } catch (cause) {
      throw unreadable(this.#options.operator, stored, key, reader.ref.object, cause);
    }
  }

  /** Stores what is first in the queue, as far as it is ready. */
  #next(): void {
    for (let head = this.#queue[0]; head !== undefined && !this.#closed; head = this.#queue[0]) {
      if (head.cancelled) {
        this.#settle('unfreeze');
      } else if (head.out === undefined) {
        return;
      } else if (head.frozen.every(({ set }) => set.entries.length === 0)) {
        this.#settle('stored');
        this.#ack(head.out);
      } else {
        this.#write(head.frozen, head.out);
        return;
      }
    }
  }

  #write(frozen: readonly FrozenState[], out: Subscriber<Frozen>): void {
    const object = this.#name();
    const encoder = new SegmentEncoder(this.#schema, this.#files.compression);
    const upload = this.#upload(object);
    const writer = new SegmentWriter(frozen, encoder, upload, this.#schema.maxParallelism);
    this.#writing = this.#run(() => writer.step(), upload, {
      complete: () => {
        this.#segments = [...this.#segments, reference(object, encoder)];
        this.#settle('stored');
        const { bytes, entries } = encoder;
        const { operator, report } = this.#options;
        report({ type: 'segment-written', operator, object, entries, bytes, requests: upload.requests });
        this.#ack(out);
        this.#compact();
        this.#next();
      },
      error: (error) => {
        this.#settle('unfreeze');
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

  #settle(how: 'stored' | 'unfreeze'): void {
    for (const { state, set } of this.#queue.shift()?.frozen ?? []) state.table[how](set);
  }

  #ack(out: Subscriber<Frozen>): void {
    if (this.#resting && this.#compacting !== undefined) {
      this.#compacting.add(() => {
        if (!this.#closed) this.#ack(out);
      });
      return;
    }
    const segments = this.#segments;
    const { maxParallelism } = this.#schema;
    out.next({
      snapshot: snapshotJson({ version: 1, maxParallelism, segments }),
      objects: segments.map(({ object }) => object),
    });
    out.complete();
  }

  #compact(): void {
    const plan = planCompaction(this.#segments, this.#files.compactionTrigger);
    if (plan === undefined || this.#compacting !== undefined || this.#resting || this.#closed) return;
    const { operator, states, report } = this.#options;
    const inputs = this.#segments.slice(plan.first, plan.end);
    const object = this.#name();
    const readers = inputs.map((ref) => this.#reader(ref));
    const encoder = new SegmentEncoder(this.#schema, this.#files.compression);
    const upload = this.#upload(object);
    const merge = new SegmentMerge({
      readers,
      encoder,
      upload,
      bottom: plan.first === 0,
      resolve: ({ footer }) => resolveStates(operator, footer.schema, states),
      convert: (value, version, state) => this.#states[state]?.convert(value, version),
    });
    const step = (): Step => (this.#resting && !upload.published ? 'done' : merge.step());
    this.#compacting = this.#run(step, upload, {
      complete: () => {
        this.#compacting = undefined;
        if (!upload.published) return;
        const at = this.#segments.findIndex((ref) => ref === inputs[0]);
        this.#segments = this.#segments.toSpliced(at, inputs.length, reference(object, encoder));
        report({
          type: 'segments-compacted',
          operator,
          object,
          inputs: inputs.length,
          entries: encoder.entries,
          bytesRead: inputs.reduce((sum, { bytes }) => sum + bytes, 0),
          bytes: encoder.bytes,
          requests: upload.requests + readers.reduce((sum, { requests }) => sum + requests, 0),
        });
        this.#compact();
      },
      error: (error) => {
        this.#compacting = undefined;
        report({ type: 'compaction-failed', operator, inputs: inputs.length, error });
      },
    });
  }

  /** Runs a writer or a merge; whatever stops it before it is done gives up its upload. */
  #run(
    step: () => Step,
    upload: ObjectUpload,
    then: { complete: () => void; error: (error: unknown) => void },
  ): Subscription {
    const running = sliced(this.#options.clock, step).subscribe(then);
    running.add(() => {
      if (!upload.published) (upload.abort() ?? EMPTY).subscribe({ error: () => undefined });
    });
    return running;
  }

  #name(): string {
    return this.#options.data.name(this.#options.operator, this.#files.extension);
  }

  #reader(ref: SegmentRef): SegmentReader {
    return new SegmentReader(this.#options.data, ref);
  }

  #upload(object: string): ObjectUpload {
    const { data } = this.#options;
    return new ObjectUpload(data.store, data.key(object), this.#files.partSize);
  }
}

function reference(object: string, { bytes, entries, crc, sha256 }: SegmentEncoder): SegmentRef {
  return { object, bytes, entries, crc, sha256 };
}
