import { Observable, of, Subject, type Subscription } from 'rxjs';
import {
  credit,
  end,
  memory,
  open,
  type Barrier,
  type Committable,
  type Credit,
  type FlowOperator,
  type Frozen,
  type Memory,
  type OperatorEvent,
  type Participant,
  type Service,
  type Signal,
} from '../../src/flow/index.js';
import type { RowWriter } from '../../src/formats/writer.js';
import { parseUid } from '../../src/path/uids.js';
import { fileSink } from '../../src/sinks/file/fileSink.js';
import type { FileSinkOptions } from '../../src/sinks/file/options.js';
import { createMemoryStore } from '../../src/store/memory/index.js';
import type { ObjectStore, UploadInfo } from '../../src/store/objectStore.js';
import {
  checkpointData,
  stores,
  type CheckpointData,
  type StoreCapabilities,
  type Stores,
} from '../../src/store/services.js';
import { pendingOf } from '../../src/testing/sealed.js';
import { SimulatedClock } from '../../src/testing/simulatedClock.js';
import { TestAttempt, type Trace } from '../../src/testing/testAttempt.js';

export interface Line {
  readonly p: string;
  readonly text: string;
}

/** Every third length as bytes, the others as text: both mix in one file. */
export const lines: RowWriter<Line> = {
  extension: '.txt',
  encode: ({ text }) => (text.length % 3 === 0 ? Buffer.from(`${text}\n`) : `${text}\n`),
};

/** The answer of a memory store. */
export function now<T>(request: Observable<T>): T {
  const got: T[] = [];
  let failed: unknown;
  request.subscribe({ next: (value) => got.push(value), error: (error: unknown) => (failed = error) });
  if (failed instanceof Error) throw failed;
  if (got.length === 0) throw new Error('no answer');
  return got[0] as T;
}

export interface Manifest {
  readonly checkpoint: number;
  readonly position: number;
  readonly open: readonly Committable[];
  readonly pending: readonly Committable[];
}

export interface WorldOptions {
  readonly minimumPartSize?: number;
  readonly completeSubset?: boolean;
  readonly store?: ObjectStore;
  /** Everything is below this prefix, which ends in a slash. Default: none. */
  readonly folder?: string;
}

/** What survives an attempt: the store and the newest durable manifest. */
export class World {
  readonly clock = new SimulatedClock(1_000_000);
  readonly jobId = 'job-4567_abc';
  readonly store: ObjectStore;
  readonly capabilities: StoreCapabilities;
  epoch = 0;
  manifest: Manifest = { checkpoint: 0, position: 0, open: [], pending: [] };
  readonly journals = new Set<string>();
  /** Attempts ever started. Unlike epochs, none is counted twice after a backup is restored. */
  attempts = 0;

  readonly folder: string;

  constructor(options: WorldOptions = {}) {
    this.folder = options.folder ?? '';
    const { minimumPartSize = 5 * 2 ** 20, completeSubset = true } = options;
    this.capabilities = { conditionalPut: true, minimumPartSize, completeSubset };
    this.store =
      options.store ??
      createMemoryStore({ uri: 'memory://lake', clock: this.clock, minimumPartSize, completeSubset });
  }

  keys(prefix = 'out'): string[] {
    const keys: string[] = [];
    for (let startAfter = ''; ;) {
      const { objects, cursor } = now(this.store.list({ prefix, startAfter }));
      keys.push(...objects.map((object) => object.key));
      if (cursor === undefined) return keys;
      startAfter = keys.at(-1)!;
    }
  }

  content(key: string): string {
    return Buffer.concat(now(this.store.get(key)).chunks).toString();
  }

  /** All published content by partition, in the order of uids. */
  published(): Record<string, string> {
    const all = this.keys().map((key) => ({ key, uid: parseUid(key)! }));
    all.sort((a, b) => a.uid.epoch - b.uid.epoch || a.uid.counter - b.uid.counter);
    const out: Record<string, string> = {};
    for (const { key } of all) {
      const partition = key.split('/').slice(1, -1).join('/');
      out[partition] = (out[partition] ?? '') + this.content(key);
    }
    return out;
  }

  /** Answers when the function that it adds to `held` is called. */
  gate<T>(held: (() => void)[], answer: T): Observable<T> {
    return new Observable((out) => {
      held.push(() => {
        out.next(answer);
        out.complete();
      });
    });
  }

  /** Copies the log and the data objects. The result restores them. */
  backup(): () => void {
    const { epoch, manifest } = this;
    const journals = [...this.journals];
    const objects = this.keys(`${this.folder}cp`).map((key) => [key, now(this.store.get(key))] as const);
    return () => {
      this.epoch = epoch;
      this.manifest = manifest;
      this.journals.clear();
      for (const name of journals) this.journals.add(name);
      for (const [key, { chunks }] of objects) this.store.put(key, Buffer.concat(chunks)).subscribe();
    };
  }

  uploads(): readonly UploadInfo[] {
    return now(this.store.listUploads({ prefix: '' })).uploads;
  }
}

export interface RunOptions {
  readonly sink?: Partial<FileSinkOptions<Line>>;
  /** The sink. Default: a file sink with these options. */
  readonly operator?: FlowOperator<Line, never>;
  /** Wraps the store of this attempt: crashes, delays, counts. */
  readonly wrap?: (store: ObjectStore) => ObjectStore;
  readonly dead?: () => boolean;
  /** The memory of the process. Default: as much as the sink asks for. */
  readonly memory?: Memory;
  /** Whether an acked checkpoint becomes durable immediately. Default `true`. */
  readonly auto?: boolean;
  readonly id?: string;
}

/** One attempt of one sink: claims and restores with a minimal manifest log. */
export class Run {
  readonly #world: World;
  readonly #input = new Subject<Line | Signal>();
  readonly #subscription: Subscription;
  readonly #options: RunOptions;
  readonly epoch: number;
  readonly acked: { checkpoint: number; position: number; frozen: Frozen }[] = [];
  readonly events: OperatorEvent[] = [];
  readonly signals: Signal[] = [];
  readonly released: Credit[] = [];
  readonly #attempt: TestAttempt;
  readonly #id: string;
  readonly #positions = new Map<number, number>();
  #undurable: Frozen[] = [];
  #checkpoint: number;
  #durable: number;
  position: number;
  error: unknown;

  constructor(world: World, options: RunOptions = {}) {
    this.#world = world;
    this.#options = options;
    this.epoch = ++world.epoch;
    const drawn = 0.5 - ++world.attempts * 2 ** -40;
    const { manifest } = world;
    this.position = manifest.position;
    this.#checkpoint = manifest.checkpoint;
    // The claim: what was open is sealed.
    const claimed = { ...manifest, open: [], pending: [...manifest.pending, ...manifest.open] };
    world.manifest = claimed;
    this.#durable = manifest.checkpoint;
    const id = (this.#id = options.id ?? 'out');
    this.#attempt = this.#attemptOver(options.wrap?.(world.store) ?? world.store, () => drawn);
    this.#subscription = this.#input
      .pipe(
        options.operator ??
          fileSink<Line>(id, `${world.store.uri}/${world.folder}out`, {
            format: lines,
            partitionBy: (l) => l.p,
            ...options.sink,
          }),
      )
      .subscribe({
        next: (value) => this.signals.push(value),
        error: (error: unknown) => (this.error = error),
      });
    this.#input.next(open(['src'], this.#attempt));
    this.commit();
    if (this.epoch > 1) this.sweep(this.epoch - 1);
  }

  get dead(): boolean {
    return this.#options.dead?.() === true;
  }

  get pending(): readonly Committable[] {
    return pendingOf(this.#attempt, this.#id, this.#durable, []);
  }

  line(p: string, text: string): void {
    this.record({ p, text });
  }

  /** For sinks of other records. */
  record(value: unknown): void {
    this.position++;
    this.#input.next(value as Line);
  }

  credit(bytes: number): void {
    this.#input.next(credit('src', bytes));
  }

  barrier(reason: Barrier['reason'] = 'periodic'): number {
    const checkpoint = ++this.#checkpoint;
    this.#positions.set(checkpoint, this.position);
    this.#input.next(this.#attempt.barrier(checkpoint, reason).barrier);
    return checkpoint;
  }

  /** The newest acked barrier becomes durable: garbage is deleted, and pending committables are committed. */
  durable(commit = true): void {
    const last = this.acked.at(-1);
    if (last === undefined || this.dead) return;
    const { checkpoint, position, frozen } = last;
    for (const { open = [], closed = [], objects = [] } of this.#undurable) {
      for (const each of [...open, ...closed])
        for (const name of each.objects ?? []) this.#world.journals.add(name);
      for (const name of objects) this.#world.journals.add(name);
    }
    this.#undurable = [];
    this.#durable = checkpoint;
    this.#write({ checkpoint, position, open: frozen.open ?? [], pending: this.pending });
    if (commit) this.commit();
  }

  /** Writes a manifest with only what was confirmed and amended since. */
  settle(): void {
    if (this.dead) return;
    this.#write({ ...this.#world.manifest, pending: this.pending });
    this.commit();
  }

  commit(): void {
    if (!this.dead) this.#participant?.commit?.(this.#world.manifest.pending);
  }

  /** Sweeps as a coordinator does. */
  sweep(epoch: number): void {
    const { open: opened, pending } = this.#world.manifest;
    this.#subscription.add(this.#participant?.sweep?.({ epoch, named: [...opened, ...pending] }).subscribe());
  }

  end(): void {
    this.#input.next(end);
    this.barrier('final');
  }

  stop(): void {
    this.#subscription.unsubscribe();
  }

  #write(manifest: Manifest): void {
    this.#world.manifest = manifest;
    const named = new Set([...manifest.open, ...manifest.pending].flatMap((each) => each.objects ?? []));
    for (const name of this.#world.journals) {
      if (named.has(name)) continue;
      this.#world.journals.delete(name);
      this.#world.store.delete([`${this.#world.folder}cp/job/${name}`]).subscribe();
    }
  }

  get #participant(): Participant | undefined {
    return this.#attempt.participants.get(this.#id);
  }

  #traced(trace: Trace): void {
    if (trace.type === 'release') this.released.push(trace.credit);
    else if (trace.type === 'report') this.events.push(trace.event);
    else if (trace.type === 'ack' && !this.dead) {
      const { checkpoint, frozen } = trace;
      this.acked.push({ checkpoint, position: this.#positions.get(checkpoint) ?? 0, frozen });
      this.#undurable.push(frozen);
      if (this.#options.auto !== false) this.durable();
    }
  }

  #attemptOver(store: ObjectStore, random: () => number): TestAttempt {
    const world = this.#world;
    let names = 0;
    const located: Stores = {
      open: (uri) => ({
        store,
        key: uri.slice(world.store.uri.length + 1),
        bucket: 'test',
        reserved: store,
        capabilities: of(world.capabilities),
      }),
    };
    const data: CheckpointData = {
      store,
      key: (name) => `${world.folder}cp/job/${name}`,
      name: (operator, suffix) => `data/${this.epoch}/${operator}-${names++}${suffix}`,
    };
    return new TestAttempt({
      clock: world.clock,
      random,
      jobId: world.jobId,
      epoch: this.epoch,
      restored: new Map([[this.#id, { snapshot: undefined, pending: world.manifest.pending }]]),
      services: new Map<Service<unknown>, unknown>([
        [stores, located],
        [checkpointData, data],
        ...(this.#options.memory === undefined ? [] : [[memory, this.#options.memory] as const]),
      ]),
      on: (trace) => {
        this.#traced(trace);
      },
    });
  }
}
