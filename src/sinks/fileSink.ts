import { Subscription, type Observable, type Subscriber } from 'rxjs';
import { MillraceError } from '../errors.js';
import {
  flowOperator,
  FlowSubscriber,
  type Attempt,
  type Barrier,
  type Committable,
  type Credit,
  type End,
  type FlowOperator,
  type Open,
  type Signal,
} from '../flow/index.js';
import { checkpointData, stores, type StoreLocation } from '../store/services.js';
import { Acks } from './acks.js';
import { Committer } from './committer.js';
import { PartitionTooLong } from './errors.js';
import { inlineLimit, Journals, maxRanges } from './journal.js';
import { checkPartSize, settingsOf, type FileSinkOptions, type SinkSettings } from './options.js';
import { BufferPool } from './pool.js';
import { leastRecent, RollPolicy } from './rolling.js';
import type { Run } from './run.js';
import { sweep } from './sweep.js';
import { formatUid } from './uids.js';
import { PartUploads } from './uploads.js';
import { OpenFile, type FrozenFile } from './writer.js';

/**
 * Writes records to objects below `uri`, each exactly once: files appear whole, once a checkpoint that holds them is
 * durable, and never twice.
 *
 * Names are `<uri>/<partition>/<prefix->part-<uid><suffix><extension>`; a file without bytes is no object. Bytes go
 * up as multipart uploads while records flow; a checkpoint stores only the tails written since the last one, in one
 * journal. Memory stays within `budget`: beyond three quarters of it sources wait; where the tails of many open files
 * need more than half, they move to a journal between checkpoints.
 *
 * Errors: `InvalidOption`, `InvalidPartition`, `PartitionTooLong`, `ForeignObject`, `LostUpload`, `LostJournal`,
 * `CorruptJournal`, and the store's own.
 *
 * @param id names the sink in checkpoints; keep it while the job lives
 *
 * @example
 * ```ts
 * clicks.pipe(fileSink('out', 's3://lake/clicks', { format: ndjson(), partitionBy: (v) => `day=${v.day}` }));
 * ```
 */
export function fileSink<A>(id: string, uri: string, options: FileSinkOptions<A>): FlowOperator<A, never> {
  const settings = settingsOf(id, options);
  return flowOperator<A, never>((out) => new FileSink(out, id, uri, settings));
}

/** Text is turned into bytes once a file has so many characters of it. */
const block = 16 * 1024;

class FileSink<A> extends FlowSubscriber<A, never> {
  readonly #id: string;
  readonly #uri: string;
  readonly #settings: SinkSettings<A>;
  readonly #pool: BufferPool;
  readonly #policy: RollPolicy;
  readonly #block: number;
  readonly #textBudget: number;
  readonly #inlineLimit: number;

  #attempt!: Attempt;
  #location!: StoreLocation;
  #base = '';
  #rollAlways = false;
  #uploads!: PartUploads;
  #journals!: Journals;
  #acks!: Acks;

  /** By partition, in the order in which they were opened. */
  readonly #files = new Map<string, OpenFile>();
  #last: OpenFile | undefined;
  #counter = 0;
  #records = 0;
  /** Files with text; a file may be named again after its text is gone. */
  #texts: OpenFile[] = [];
  #textLength = 0;
  /** Bytes of tails that are nowhere but in memory. */
  #fresh = 0;
  /** Open files that are not as `#frozen` has them. */
  readonly #changed = new Set<OpenFile>();
  readonly #frozen = new Map<OpenFile, FrozenFile>();
  #rolled: OpenFile[] = [];
  #droppable = false;
  readonly #credits = new Map<string, Credit>();
  #sweeping = false;
  #swept: () => void = () => undefined;
  #timer = Subscription.EMPTY;

  constructor(out: Subscriber<Signal>, id: string, uri: string, settings: SinkSettings<A>) {
    super(out);
    this.#id = id;
    this.#uri = uri;
    this.#settings = settings;
    this.#pool = new BufferPool(settings.budget);
    this.#policy = new RollPolicy(settings.age, settings.inactivity);
    this.#block = Math.min(block, settings.rollSize, settings.partSize);
    this.#inlineLimit = Math.min(inlineLimit, settings.partSize / 16);
    this.#textBudget = Math.min(4 * 2 ** 20, settings.budget / 32);
  }

  override onOpen(open: Open): void {
    const { attempt } = open;
    const settings = this.#settings;
    const location = attempt.use(stores).open(this.#uri);
    const data = attempt.use(checkpointData);
    this.#attempt = attempt;
    this.#location = location;
    this.#base = location.key.replace(/\/+$/, '');
    this.#uploads = new PartUploads(
      location.store,
      data,
      this.#pool,
      this.#run,
      settings.inFlight,
      settings.partSize,
    );
    this.#journals = new Journals(this.#id, data, this.#pool, this.#run);
    this.#acks = new Acks(this.#id);
    const committer = new Committer(
      this.#id,
      attempt,
      data,
      (uri) => (uri === location.store.uri ? location.store : attempt.use(stores).open(uri).store),
      this.#run,
      settings.onMissingCommitted,
      settings.budget / 4,
    );
    // Sealing a file without an upload makes one: not before it is known which ones dead attempts left there.
    this.#sweeping = attempt.epoch > 1;
    let named: readonly Committable[] = [];
    const commit = (): void => {
      committer.commit(this.#sweeping ? named.filter((each) => each['uploadId'] !== undefined) : named);
    };
    attempt.register({
      id: this.#id,
      kind: 'sink',
      commit: (pending) => {
        this.turn(() => {
          named = pending;
          commit();
        });
      },
    });
    attempt.terminal(this.#id, open.sources);
    if (this.#sweeping) {
      const prefix = this.#base === '' ? '' : `${this.#base}/`;
      const pending = attempt.restored(this.#id)?.pending ?? [];
      this.#run(sweep(this.#id, attempt, location.store, prefix, pending), (left) => {
        committer.left = left;
        this.#sweeping = false;
        this.#swept();
        commit();
      });
    }
    this.#run(location.capabilities, ({ minimumPartSize, completeSubset }) => {
      checkPartSize(this.#id, settings.partSize, minimumPartSize);
      this.#rollAlways = settings.everyCheckpoint || !completeSubset;
      this.emit(open);
    });
  }

  override onRecord(value: A): void {
    const { partitionBy, format } = this.#settings;
    const partition = partitionBy === undefined ? '' : partitionBy(value);
    let file = this.#last;
    if (file === undefined || file.partition !== partition) {
      file = this.#last = this.#files.get(partition) ?? this.#openFile(partition);
    }
    const text = format.encode(value);
    file.text += text;
    file.records++;
    file.touched = ++this.#records;
    if (!file.listed) {
      file.listed = true;
      this.#texts.push(file);
    }
    this.#textLength += text.length;
    if (file.text.length >= this.#block) {
      this.#flush(file);
      this.#relieve();
    } else if (this.#textLength >= this.#textBudget) {
      this.#flushAll();
      this.#relieve();
    }
  }

  override onCredit(credit: Credit): void {
    this.#credits.set(credit.source, credit);
    this.#relieve();
    this.emit(credit);
  }

  override onBarrier(barrier: Barrier): void {
    this.#flushAll();
    if (this.#rollAlways) this.#rollAll();
    const open = this.#freeze(barrier.checkpoint);
    const closed = this.#rolled.map((file) =>
      file.freeze(this.#location.store.uri, barrier.checkpoint, false),
    );
    this.#rolled = [];
    this.emit(barrier);
    // A job that has little left to do would finish first, and nobody would ever sweep.
    if (barrier.reason === 'final' && this.#sweeping) this.#swept = this.#acks.begin();
    this.#acks.barrier(barrier, open, closed);
    this.#relieve();
  }

  override onEnd(end: End): void {
    this.#rollAll();
    this.emit(end);
  }

  // Nothing is aborted at teardown but requests: a durable checkpoint may name any upload. The next claim sweeps.

  #openFile(partition: string): OpenFile {
    if (typeof partition !== 'string') {
      throw new MillraceError(
        'InvalidPartition',
        `fileSink '${this.#id}': partitionBy returned ${String(partition)}. Return a text; '' is the sink's own folder.`,
      );
    }
    if (this.#files.size >= this.#settings.maxOpenFiles)
      for (const file of leastRecent(this.#files)) this.#roll(file);
    const { prefix, suffix, format } = this.#settings;
    const { jobId, epoch, clock } = this.#attempt;
    const uid = formatUid({ jobId, sink: this.#id, epoch, counter: this.#counter++ });
    const name = `${prefix === '' ? '' : `${prefix}-`}part-${uid}${suffix}${format.extension}`;
    const key = [this.#base, partition, name].filter((each) => each !== '').join('/');
    const bytes = Buffer.byteLength(key);
    if (bytes > 1024) throw new PartitionTooLong(partition, bytes);
    const file = new OpenFile(uid, key, partition, clock.now(), this.#settings.partSize, this.#pool);
    this.#files.set(partition, file);
    if (this.#timer.closed) this.#schedule();
    return file;
  }

  #flushAll(): void {
    const texts = this.#texts;
    this.#texts = [];
    for (const file of texts) {
      file.listed = false;
      this.#flush(file);
    }
  }

  #flush(file: OpenFile): void {
    if (file.text === '') return;
    this.#textLength -= file.text.length;
    const before = file.fresh;
    file.flush(this.#cut);
    this.#fresh += file.fresh - before;
    this.#changed.add(file);
    if (file.size >= this.#settings.rollSize) this.#roll(file);
  }

  readonly #cut = (part: Parameters<PartUploads['upload']>[0]): void => {
    const stored = this.#acks.begin();
    this.#uploads.upload(part, () => {
      stored();
      this.#relieve();
    });
  };

  #roll(file: OpenFile): void {
    if (this.#files.get(file.partition) !== file) return;
    this.#files.delete(file.partition);
    if (this.#last === file) this.#last = undefined;
    this.#textLength -= file.text.length;
    this.#fresh -= file.fresh;
    file.roll(this.#cut);
    this.#changed.delete(file);
    this.#frozen.delete(file);
    if (file.size > 0) this.#rolled.push(file);
  }

  #rollAll(): void {
    for (const file of this.#files.values()) this.#roll(file);
  }

  /** Stores what the changed files have fresh, and takes down how they are. */
  #freeze(checkpoint: number): readonly FrozenFile[] {
    const fresh = this.#prepare();
    const inline = fresh <= this.#inlineLimit;
    if (!inline) this.#journal();
    for (const file of this.#changed) {
      if (file.size > 0) this.#frozen.set(file, file.freeze(this.#location.store.uri, checkpoint, inline));
      if (file.fresh === 0) this.#changed.delete(file);
    }
    return [...this.#frozen.values()];
  }

  /** Counts what a journal would have to hold, once files in too many journals are dealt with. */
  #prepare(): number {
    this.#fresh = 0;
    for (const file of this.#changed) {
      if (file.ranges.length >= maxRanges && file.spilled) this.#roll(file);
      else this.#fresh += file.prepare(maxRanges);
    }
    return this.#fresh;
  }

  #journal(): void {
    this.#fresh = 0;
    const stored = this.#acks.begin();
    const name = this.#journals.write(this.#changed, () => {
      this.#droppable = true;
      stored();
      this.#relieve();
    });
    if (name !== undefined) this.#acks.journal(name);
  }

  /** Bytes of memory that the tails of open files take. */
  get #tailMemory(): number {
    return this.#pool.held - this.#uploads.held - this.#journals.held;
  }

  /**
   * Keeps within the budget. Tails may take half of it, and fresh bytes a quarter, as the next journal holds a copy of
   * them; beyond that they go to a journal at once, and what journals hold leaves memory. All else that is held is on
   * its way to the store and comes back without any help from sources, so holding their credits cannot deadlock.
   */
  #relieve(): void {
    const half = this.#pool.budget / 2;
    if (this.#droppable && this.#tailMemory > half) {
      this.#droppable = false;
      for (const file of this.#files.values()) file.drop();
    }
    const crowded = this.#tailMemory > half || this.#fresh > half / 2;
    if (this.#journals.underWay === 0 && (crowded || this.#waitedFor)) this.#spill();
    this.#releaseCredits();
  }

  /** Whether sources wait for room that no request under way will make. */
  get #waitedFor(): boolean {
    return this.#credits.size > 0 && this.#full && this.#uploads.held === 0;
  }

  #spill(): void {
    this.#flushAll();
    if (this.#prepare() > 0) this.#journal();
  }

  /** Sources wait while there is no room for a copy of what is fresh: a barrier may come at any time. */
  get #full(): boolean {
    return this.#pool.held + this.#fresh + this.#textLength > this.#pool.budget * 0.75;
  }

  #releaseCredits(): void {
    if (this.#credits.size === 0 || this.#full) return;
    for (const credit of this.#credits.values()) this.#attempt.release(this.#id, credit);
    this.#credits.clear();
  }

  #schedule(): void {
    const deadline = this.#policy.deadline(this.#files.values());
    if (deadline === undefined) return;
    const { clock } = this.#attempt;
    this.#timer = clock.after(Math.max(0, deadline - clock.now()), () => {
      this.#timer.unsubscribe();
      this.turn(() => {
        for (const file of this.#policy.due(this.#files.values(), clock.now())) this.#roll(file);
        this.#schedule();
      });
    });
    this.add(this.#timer);
  }

  readonly #run: Run = <T>(request: Observable<T>, done: (answer: T) => void): void => {
    this.add(
      request.subscribe({
        next: (answer) => {
          this.turn(() => {
            done(answer);
          });
        },
        error: (error: unknown) => {
          this.fail(error);
        },
      }),
    );
  };
}
