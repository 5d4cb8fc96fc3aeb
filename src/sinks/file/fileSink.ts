import { concat, concatMap, EMPTY, Subscription, take, tap, type Subscriber } from 'rxjs';
import { configOf } from '../../config/service.js';
import { InvalidOption } from '../../config/units.js';
import {
  flowOperator,
  monotonic,
  SkippedRecords,
  type Attempt,
  type Barrier,
  type Clock,
  type End,
  type FlowOperator,
  type Signal,
} from '../../flow/index.js';
import { plainUri, splitUri } from '../../path/index.js';
import {
  checkpointData,
  checkpointFolders,
  spilling,
  stores,
  type StoreLocation,
} from '../../store/services.js';
import { inlineLimit, Journals } from '../twoPhase/journal.js';
import type { FrozenWork, Request } from '../twoPhase/kind.js';
import { checkpointsBelow, placeOf } from '../twoPhase/places.js';
import { TwoPhaseSink, type Prepared } from '../twoPhase/twoPhaseSink.js';
import type { FileCommittable } from './committable.js';
import { fileKind } from './fileKind.js';
import { FileNames } from './fileNames.js';
import { Manifests } from './manifests.js';
import type { OpenFile, PartCut } from './openFile.js';
import { OpenFiles } from './openFiles.js';
import { checkPartSize, settingsOf, type FileSinkOptions, type SinkSettings } from './options.js';
import { Places } from './places.js';
import { Pressure } from './pressure.js';
import { Publisher } from './publisher.js';
import { FileMemory } from './fileMemory.js';
import { PartUploads } from './uploads.js';

/**
 * Writes records to objects below `uri`, each exactly once: a file appears as a whole, after a checkpoint that includes
 * it is durable, and never twice.
 *
 * Names are `<uri>/<partition>/<prefix->part-<uid><suffix><extension>`; a file without bytes is not created. Bytes are
 * uploaded as parts while records flow; a checkpoint stores only the tails written since the last one, in one journal.
 * Memory stays within `budget`: beyond three quarters of it sources wait; if the tails of many open files need more
 * than half, they move to a journal between checkpoints.
 *
 * With `manifests`, readers see which files belong together (`manifests.ts`): a manifest appears after all its files.
 *
 * Errors: `InvalidUri`, `UnknownScheme`, `InvalidOption` (also for a folder in the checkpoint directory), `InvalidPartition`, `PartitionTooLong`,
 * `ForeignName`, `ForeignObject`, `LostUpload`, `LostJournal`, `CorruptJournal`, `FormatChanged`, and errors of the
 * store.
 *
 * @param id names the sink in checkpoints; keep it for the life of the job
 *
 * @example
 * ```ts
 * clicks.pipe(fileSink('out', 's3://lake/clicks', { format: ndjson(), partitionBy: (v) => `day=${v.day}` }));
 * ```
 */
export function fileSink<A>(id: string, uri: string, options: FileSinkOptions<A>): FlowOperator<A, never> {
  if (typeof (uri as unknown) !== 'string') throw new InvalidOption(`fileSink '${id}': uri`, uri, 'a URI');
  splitUri(uri);
  // Fails immediately on options that no configuration allows; the job's configuration comes with `Open`.
  settingsOf(id, options);
  return flowOperator<A, never>((out) => new FileSink(out, id, uri, options));
}

class FileSink<A> extends TwoPhaseSink<A, FileCommittable> {
  readonly #uri: string;
  readonly #options: FileSinkOptions<A>;

  #settings!: SinkSettings<A>;
  #partitionOf!: (value: A) => string;
  /** The event time of the record. */
  #time: number | undefined;
  #inlineLimit = 0;
  #skipped!: SkippedRecords;
  #clock!: Clock;
  #location!: StoreLocation;
  #uploads!: PartUploads;
  #files!: OpenFiles<A>;
  #pressure!: Pressure;
  #memory: FileMemory | undefined;
  /** At how many checkpoints a file is rolled. */
  #checkpoints = Infinity;
  #timer = Subscription.EMPTY;

  constructor(out: Subscriber<Signal>, id: string, uri: string, options: FileSinkOptions<A>) {
    super(out, id);
    this.#uri = uri;
    this.#options = options;
  }

  protected override prepare(attempt: Attempt): Prepared<FileCommittable> {
    const { id } = this;
    const { transfer } = configOf(attempt);
    const settings = settingsOf(id, this.#options, transfer);
    const { partSize, inFlight } = settings;
    const open = (uri: string): StoreLocation =>
      attempt.use(stores).open(plainUri(uri, transfer.entropy.key));
    const location = open(this.#uri);
    const data = attempt.use(checkpointData);
    const outside = (): number => (this.#pressure as Pressure | undefined)?.outsidePool ?? 0;
    const memory = (this.#memory = new FileMemory(id, attempt, settings, outside, () => {
      this.turn(() => {
        this.relieve();
      });
    }));
    const { pool } = memory;
    const own = placeOf(location);
    this.#settings = settings;
    this.#partitionOf = settings.partitioner.open(attempt.clock, (time) => {
      this.#time = time;
    });
    this.#inlineLimit = Math.min(inlineLimit, partSize / 16);
    this.#clock = attempt.clock;
    this.#skipped = new SkippedRecords(id, attempt);
    this.#location = location;
    this.#uploads = new PartUploads(location.store, data, pool, this.#request, inFlight, partSize);
    const names = new FileNames(id, attempt, own.prefix, settings);
    names.checkLongest(settings.partitioner.longest ?? 0);
    this.#files = new OpenFiles(settings, names, attempt.clock, pool, this.#cut, () => {
      if (this.#timer.closed) this.#schedule();
    });
    const journals = new Journals(id, data, pool, this.#request, (name) => this.begin(name));
    const spills = attempt.use(spilling);
    this.#pressure = new Pressure(pool, this.#files, this.#uploads, journals, spills, () => {
      this.relieve();
    });
    const places = new Places(id, attempt, [
      own,
      ...(this.#options.earlier ?? []).map((uri) => placeOf(open(uri))),
    ]);
    const reserved = checkpointsBelow(
      `fileSink '${id}': uri`,
      this.#uri,
      location,
      attempt.use(checkpointFolders),
    );
    const manifests = settings.manifests && new Manifests(id, attempt, places, settings.manifests.latest);
    const capable = location.capabilities.pipe(
      take(1),
      tap(({ minimumPartSize, completeSubset }) => {
        checkPartSize(id, partSize, minimumPartSize);
        const always = !completeSubset || settings.format.restore === 'whole';
        this.#checkpoints = always ? 1 : settings.checkpoints;
      }),
      concatMap((capabilities) => manifests?.check(own, capabilities) ?? EMPTY),
    );
    const publisher = new Publisher(attempt, data, places, settings.format);
    return {
      kind: fileKind(id, attempt, places, publisher, memory, manifests),
      ready: concat(reserved.pipe(tap((below) => (names.reserved = below))), capable),
      acceptsLost: settings.onMissingCommitted === 'accept',
    };
  }

  override onRecord(value: A): void {
    const file = this.#files.of(this.#partitionOf(value), value);
    const grown =
      this.#settings.onUnencodable === 'fail' ? this.#files.write(file, value) : this.#tryWrite(file, value);
    const time = this.#time;
    this.#time = undefined;
    if (grown === undefined) return;
    if (time !== undefined) file.covers(time);
    if (grown) this.relieve();
  }

  /** A record that cannot be encoded has no effect: `undefined`. */
  #tryWrite(file: OpenFile, value: A): boolean | undefined {
    const { records } = file;
    try {
      return this.#files.write(file, value);
    } catch (error) {
      if (file.records > records) throw error;
      this.#files.discardEmpty(file);
      this.#skipped.skip(error);
      return undefined;
    }
  }

  protected override freeze({ checkpoint, reason }: Barrier): FrozenWork<FileCommittable> {
    // A job that starts from a savepoint cannot complete uploads of this one; and nothing follows a final barrier.
    if (reason === 'savepoint' || reason === 'final') this.#files.rollAll();
    else this.#files.rollAtBarrier(this.#checkpoints);
    this.#files.persist();
    const inline = this.#files.prepare() <= this.#inlineLimit;
    if (!inline) this.#pressure.journal(true);
    return this.#files.frozen.freeze(this.#location.store.uri, checkpoint, inline);
  }

  override onEnd(end: End): void {
    this.#files.rollAll();
    this.emit(end);
  }

  protected override get full(): boolean {
    return this.#pressure.full;
  }

  protected override makeRoom(): void {
    this.#pressure.makeRoom(() => this.waitedFor);
    this.#memory?.report();
  }

  override onTeardown(): void {
    this.#memory?.leave();
  }

  protected override onRest(): void {
    this.#timer.unsubscribe();
  }

  readonly #cut = (part: PartCut): void => {
    const stored = this.begin();
    this.#uploads.upload(part, () => {
      stored();
      this.relieve();
    });
  };

  #schedule(): void {
    const { deadline } = this.#files;
    if (deadline === undefined || this.resting) return;
    this.#timer = this.#clock.after(Math.max(0, deadline - monotonic(this.#clock)), () => {
      this.#timer.unsubscribe();
      this.turn(() => {
        this.#files.rollDue();
        this.#schedule();
      });
    });
    this.add(this.#timer);
  }

  readonly #request: Request = (request, answered) => {
    this.request(request, answered);
  };
}
