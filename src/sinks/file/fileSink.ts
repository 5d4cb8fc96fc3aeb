import { merge, Subscription, type Subscriber } from 'rxjs';
import {
  flowOperator,
  FlowSubscriber,
  isLast,
  SkippedRecords,
  monotonic,
  type Attempt,
  type Barrier,
  type Credit,
  type End,
  type FlowOperator,
  type Open,
  type Signal,
} from '../../flow/index.js';
import { checkpointData, stores, type CheckpointData, type StoreLocation } from '../../store/services.js';
import { configOf } from '../../config/service.js';
import { InvalidOption } from '../../config/units.js';
import { plainUri } from '../../path/index.js';
import { Acks } from '../twoPhase/acks.js';
import { fromCommittable } from './committable.js';
import { Committer } from '../twoPhase/committer.js';
import { FileNames } from './fileNames.js';
import { inlineLimit, Journals } from './journal.js';
import { OpenFiles } from './openFiles.js';
import { checkPartSize, settingsOf, type FileSinkOptions, type SinkSettings } from './options.js';
import { placeOf, Places } from './places.js';
import { BufferPool } from '../../store/multipart/index.js';
import { Pressure } from './pressure.js';
import { Publisher } from './publisher.js';
import type { Request } from '../twoPhase/request.js';
import { abortLeftUploads } from './leftUploads.js';
import { PartUploads } from './uploads.js';
import type { PartCut } from './openFile.js';

/**
 * Writes records to objects below `uri`, each exactly once: files appear whole, once a checkpoint that holds them is
 * durable, and never twice.
 *
 * Names are `<uri>/<partition>/<prefix->part-<uid><suffix><extension>`; a file without bytes is no object. Bytes go
 * up as multipart uploads while records flow; a checkpoint stores only the tails written since the last one, in one
 * journal. Memory stays within `budget`: beyond three quarters of it sources wait; where the tails of many open files
 * need more than half, they move to a journal between checkpoints.
 *
 * Errors: `InvalidOption`, `InvalidPartition`, `PartitionTooLong`, `ForeignName`, `ForeignObject`, `LostUpload`, `LostJournal`,
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
  if (typeof (uri as unknown) !== 'string') throw new InvalidOption(`fileSink '${id}': uri`, uri, 'a URI');
  // What is wrong in any configuration shows at once; the job's own comes with `Open`.
  settingsOf(id, options);
  return flowOperator<A, never>((out) => new FileSink(out, id, uri, options));
}

class FileSink<A> extends FlowSubscriber<A, never> {
  readonly #id: string;
  readonly #uri: string;
  readonly #options: FileSinkOptions<A>;

  #settings!: SinkSettings<A>;
  #pool!: BufferPool;
  #inlineLimit = 0;
  #skipped!: SkippedRecords;
  #attempt!: Attempt;
  #location!: StoreLocation;
  #uploads!: PartUploads;
  #acks!: Acks;
  #files!: OpenFiles;
  #pressure!: Pressure;
  #rollAlways = false;
  #resting = false;
  #timer = Subscription.EMPTY;

  constructor(out: Subscriber<Signal>, id: string, uri: string, options: FileSinkOptions<A>) {
    super(out);
    this.#id = id;
    this.#uri = uri;
    this.#options = options;
  }

  protected override get label(): string {
    return this.#id;
  }

  override onOpen(open: Open): void {
    const { attempt } = open;
    const { transfer } = configOf(attempt);
    const settings = settingsOf(this.#id, this.#options, transfer);
    this.#settings = settings;
    this.#pool = new BufferPool(settings.budget);
    this.#inlineLimit = Math.min(inlineLimit, settings.partSize / 16);
    const location = attempt.use(stores).open(plainUri(this.#uri, transfer.entropy.key));
    const data = attempt.use(checkpointData);
    this.#attempt = attempt;
    this.#skipped = new SkippedRecords(this.#id, attempt);
    this.#location = location;
    const own = placeOf(location);
    const earlier = (this.#options.earlier ?? []).map((uri) =>
      placeOf(attempt.use(stores).open(plainUri(uri, transfer.entropy.key))),
    );
    this.#uploads = new PartUploads(
      location.store,
      data,
      this.#pool,
      this.#request,
      settings.inFlight,
      settings.partSize,
    );
    this.#acks = new Acks(this.#id);
    this.#files = new OpenFiles(
      settings,
      new FileNames(this.#id, attempt, own.prefix, settings),
      attempt.clock,
      this.#pool,
      this.#cut,
      () => {
        if (this.#timer.closed) this.#schedule();
      },
    );
    this.#pressure = new Pressure(
      this.#pool,
      this.#files,
      this.#uploads,
      new Journals(this.#id, data, this.#pool, this.#request),
      this.#acks,
      (credit) => {
        attempt.release(this.#id, credit);
      },
    );
    this.#register(attempt, data, new Places(this.#id, attempt, [own, ...earlier]));
    attempt.terminal(this.#id, open.sources);
    this.#request(location.capabilities, ({ minimumPartSize, completeSubset }) => {
      checkPartSize(this.#id, settings.partSize, minimumPartSize);
      this.#rollAlways = settings.everyCheckpoint || !completeSubset;
      this.emit(open);
    });
  }

  override onRecord(value: A): void {
    const { partitionBy, format, onUnencodable } = this.#settings;
    const partition = partitionBy === undefined ? '' : partitionBy(value);
    let encoded: string | Uint8Array;
    try {
      encoded = format.encode(value);
    } catch (error) {
      if (onUnencodable === 'fail') throw error;
      this.#skipped.skip(error);
      return;
    }
    if (this.#files.write(this.#files.of(partition), encoded)) this.#pressure.relieve();
  }

  override onCredit(credit: Credit): void {
    this.#pressure.hold(credit);
    this.emit(credit);
  }

  override onBarrier(barrier: Barrier): void {
    this.#files.flushAll();
    if (this.#rollAlways) this.#files.rollAll();
    const inline = this.#files.prepare() <= this.#inlineLimit;
    if (!inline) this.#pressure.journal();
    const { open, closed } = this.#files.freeze(this.#location.store.uri, barrier.checkpoint, inline);
    this.emit(barrier);
    if (isLast(barrier.reason)) this.#rest();
    this.#acks.barrier(barrier, open, closed);
    this.#pressure.relieve();
  }

  override onEnd(end: End): void {
    this.#files.rollAll();
    this.emit(end);
  }

  // Nothing is aborted at teardown but requests: a durable checkpoint may name any upload. The next claim sweeps.

  /** No file changes any more: what would be made of one now, no checkpoint would name. */
  #rest(): void {
    this.#resting = true;
    this.#timer.unsubscribe();
    this.#pressure.rest();
  }

  #register(attempt: Attempt, data: CheckpointData, places: Places): void {
    const { onMissingCommitted, budget } = this.#settings;
    // All of them before anything is done for one.
    for (const each of attempt.restored(this.#id)?.pending ?? []) places.storeOf(fromCommittable(each));
    const publisher = new Publisher(attempt, data, places, onMissingCommitted);
    const committer = new Committer(this.#id, attempt, publisher, this.#request, budget / 4);
    attempt.register({
      id: this.#id,
      kind: 'sink',
      commit: (pending) => {
        this.turn(() => {
          committer.commit(pending);
        });
      },
      sweep: (leftovers) =>
        merge(...places.all.map((place) => abortLeftUploads(this.#id, attempt, place, leftovers))),
    });
  }

  readonly #cut = (part: PartCut): void => {
    const stored = this.#acks.begin();
    this.#uploads.upload(part, () => {
      stored();
      this.#pressure.relieve();
    });
  };

  #schedule(): void {
    const { deadline } = this.#files;
    if (deadline === undefined || this.#resting) return;
    const { clock } = this.#attempt;
    this.#timer = clock.after(Math.max(0, deadline - monotonic(clock)), () => {
      this.#timer.unsubscribe();
      this.turn(() => {
        this.#files.rollDue();
        this.#schedule();
      });
    });
    this.add(this.#timer);
  }

  readonly #request: Request = (request, done) => {
    this.request(request, done);
  };
}
