/**
 * Outboxes: sinks for targets other than files, such as databases, queues and services. A target must only be able to
 * recognize a batch that it has.
 *
 * 1. **Records** are encoded when they arrive, and collected as batches. When they have a quarter of the budget, they move to a
 *    journal, an object in the checkpoint directory. So an interval between two checkpoints may have any number of records.
 *    *Crash:* the previous checkpoint is restored; the next manifest or the next attempt's sweep removes the journals.
 * 2. **Barrier.** What is collected goes to another journal or, if it is small, into the manifest. Each journal of the interval
 *    becomes a committable, with the checkpoint and the sequence of its first batch. The barrier is acked when all are stored.
 *    *Crash:* as in 1.
 * 3. **Durable.** The batches are published in order, each with its mark: (job id, sink, checkpoint, sequence, origin) always names
 *    this batch, and `epoch` is the attempt that publishes it. The target stores the mark with the records, in one transaction; it
 *    answers without doing anything if it has the batch, and refuses a lower epoch (`LowerEpoch`) and a log that does not know the
 *    batch that it has last (`TargetAhead`, see `lineage.ts`). *Crash* at any point, or
 *    a lost answer: the next try, or the next attempt, publishes the journal again with the same marks.
 * 4. **Published.** When the target has all batches of a journal, it is confirmed. The next manifest does not name it any
 *    more, and declares it garbage.
 * 5. **Poison.** See `publisher.ts`.
 *
 * A zombie publishes what a durable manifest names, or nothing: batches that its successor also publishes, under the same
 * marks. Once the successor has published one, the target refuses the zombie.
 *
 * **Backpressure.** Sources wait while the records that are not stored yet take half of their memory, and while more bytes of
 * earlier checkpoints wait for the target than `backlog`. Both become less without more input. What waits for the next checkpoint does not
 * count: it would become less only with the barrier.
 */
import { tap, type Observable, type Subscriber } from 'rxjs';
import { MillraceError } from '../../errors.js';
import { configOf } from '../../config/service.js';
import {
  flowOperator,
  SkippedRecords,
  type Attempt,
  type Barrier,
  type FlowOperator,
  type Signal,
} from '../../flow/index.js';
import { plainUri } from '../../path/index.js';
import { tailLength, type Tail } from '../../store/multipart/index.js';
import { checkpointData, checkpointFolders, spilling, stores } from '../../store/services.js';
import { decodeCommittable } from '../twoPhase/committables.js';
import { inlineLimit, Journals } from '../twoPhase/journal.js';
import type { Freezable, FrozenWork, TwoPhaseKind } from '../twoPhase/kind.js';
import { checkpointsBelow, placeOf } from '../twoPhase/places.js';
import { TwoPhaseSink, type Prepared } from '../twoPhase/twoPhaseSink.js';
import { formatUid } from '../../path/uids.js';
import { BatchWriter } from './batches.js';
import { DeadLetters } from './deadLetters.js';
import { bytesOf, journaledCodec, type Journaled } from './journaled.js';
import { Lineage } from './lineage.js';
import { settingsOf, type OutboxSettings, type OutboxSinkOptions } from './options.js';
import { OutboxMemory } from './outboxMemory.js';
import { BatchPublisher } from './publisher.js';
import { RecordCodec } from './recordCodec.js';
import { TargetClient } from './targetClient.js';

/**
 * Hands records to a target of yours in batches, in order, each exactly once: after a checkpoint that includes it is durable, and
 * with a mark that tells the target whether it has the batch already.
 *
 * Batches wait in the checkpoint directory, so neither the interval between checkpoints nor a target that is down costs memory.
 * Sources wait while there is more than `backlog`. {@link isNewBatch} helps targets to decide.
 *
 * Errors: `InvalidOption`, `UnsupportedRecord`, `PoisonBatch`, `PublishFailed`, `LowerEpoch`, `FormatChanged`, `LostJournal`,
 * `TargetAhead`, `UnknownOutcome`, `CorruptJournal`, `NeedsCheckpoints` (in `bounded`), other errors of `publish`, and errors of the store.
 *
 * @param id names the sink in checkpoints; keep it for the life of the job
 *
 * @example
 * ```ts
 * const rows: unknown[] = [];
 * let last: OutboxMark | undefined;
 * clicks.pipe(
 *   outboxSink('table', {
 *     publish: (batch, mark) => {
 *       // In a database, this is one transaction.
 *       if (!isNewBatch(mark, last)) return [];
 *       rows.push(...batch);
 *       last = mark;
 *       return [];
 *     },
 *     onPoison: { deadLetter: 's3://lake/rejects' },
 *   }),
 * );
 * ```
 */
export function outboxSink<A>(id: string, options: OutboxSinkOptions<A>): FlowOperator<A, never> {
  return outboxOf(id, settingsOf('outboxSink', id, options));
}

/** An outbox with checked options. */
export function outboxOf<A>(id: string, settings: OutboxSettings<A>): FlowOperator<A, never> {
  return flowOperator<A, never>((out) => new OutboxSink(out, id, settings));
}

/** Bytes of unpublished batches in a manifest, which each one repeats. What is more goes to journals. */
const mostInline = 2 ** 20;

class OutboxSink<A> extends TwoPhaseSink<A, Journaled> {
  readonly #settings: OutboxSettings<A>;
  readonly #codec: RecordCodec<A>;
  #attempt!: Attempt;
  #skipped!: SkippedRecords;
  #memory!: OutboxMemory;
  #writer!: BatchWriter;
  #journals!: Journals;
  #lineage!: Lineage;
  /** Journals since the last barrier, in order. */
  #journaled: Omit<Journaled, 'checkpoint'>[] = [];
  #sequence = 0;
  #counter = 0;
  /** Bytes that wait for the target, by uid. */
  readonly #waiting = new Map<string, { readonly bytes: number; readonly inline: number }>();
  #backlog = 0;
  /** Bytes of them that are in manifests. */
  #inline = 0;

  constructor(out: Subscriber<Signal>, id: string, settings: OutboxSettings<A>) {
    super(out, id);
    this.#settings = settings;
    this.#codec = new RecordCodec(id, settings.serializer);
  }

  protected override prepare(attempt: Attempt): Prepared<Journaled> {
    const { id } = this;
    const { budget, limits } = this.#settings;
    if (!attempt.use(spilling)) throw needsCheckpoints(id);
    const data = attempt.use(checkpointData);
    const memory = (this.#memory = new OutboxMemory(id, attempt, budget, () => {
      this.turn(() => {
        this.relieve();
      });
    }));
    this.#attempt = attempt;
    this.#skipped = new SkippedRecords(id, attempt);
    const lineage = (this.#lineage = new Lineage(attempt.epoch, attempt.random));
    this.#writer = new BatchWriter(limits, memory.pool, () => memory.journal);
    this.#journals = new Journals(
      id,
      data,
      memory.pool,
      (request, answered) => {
        this.request(request, answered);
      },
      (name) => this.begin(name),
    );
    const { place, ready } = this.#deadLetters(attempt);
    const publisher = new BatchPublisher(
      id,
      attempt,
      data,
      new TargetClient(id, attempt, this.#settings, () => !this.resting),
      this.#codec,
      place,
      lineage,
    );
    for (const each of attempt.restored(id)?.pending ?? []) {
      const journaled = decodeCommittable(journaledCodec, each);
      this.#waits(journaled);
      lineage.restored(journaled);
    }
    return { kind: this.#kind(publisher, memory), ...(ready !== undefined && { ready }) };
  }

  override onRecord(value: A): void {
    let bytes: Uint8Array;
    try {
      bytes = this.#codec.encode(value);
    } catch (error) {
      if (this.#settings.onUnencodable === 'fail') throw error;
      this.#skipped.skip(error);
      return;
    }
    const writer = this.#writer;
    const room = this.#memory.journal;
    if (writer.length > 0 && writer.length + bytes.length > room) this.#journal(false);
    writer.add(bytes);
    // Between two batches if possible, so that none is shorter than it need be.
    if (writer.between && writer.length > room / 2) this.#journal(false);
  }

  protected override freeze({ checkpoint }: Barrier): FrozenWork<Journaled> {
    if (this.#writer.length > 0) this.#journal(true);
    this.#lineage.barrier(checkpoint);
    const closed: Freezable<Journaled>[] = this.#journaled.map((journaled) => {
      this.#waits(journaled);
      return { committable: () => ({ ...journaled, checkpoint }) };
    });
    this.#journaled = [];
    this.#sequence = 0;
    return { open: [], closed };
  }

  protected override get full(): boolean {
    return this.#memory.full || this.#backlog > this.#settings.backlog;
  }

  /** Only what is in flight becomes less by itself. */
  protected override makeRoom(): void {
    if (this.#memory.full && this.#journals.inFlight === 0 && this.#writer.length > 0) this.#journal(false);
  }

  override onTeardown(): void {
    (this.#memory as OutboxMemory | undefined)?.leave();
  }

  /** What is collected becomes a journal; at a barrier it may be part of the manifest. */
  #journal(barrier: boolean): void {
    const { jobId, epoch } = this.#attempt;
    const small = Math.min(inlineLimit, this.#memory.journal / 4);
    this.#writer.take((bytes, { batches, records }) => {
      let content: Tail = { ranges: [], inline: undefined };
      const inline = barrier && bytes.length <= small && this.#inline + bytes.length <= mostInline;
      if (inline) content = { ranges: [], inline: Buffer.from(bytes) };
      else
        this.#journals.write(
          [
            {
              length: bytes.length,
              copyTo: (target, offset) => {
                bytes.copy(target, offset);
              },
              journaled: (range) => {
                content = { ranges: [range], inline: undefined };
                return () => undefined;
              },
            },
          ],
          () => {
            this.relieve();
          },
        );
      const uid = formatUid({ jobId, sink: this.id, epoch, counter: this.#counter++ });
      const serializer = this.#codec.format;
      const sequence = this.#sequence;
      const { origin } = this.#lineage;
      this.#journaled.push({ uid, origin, sequence, batches, records, content, serializer, done: 0 });
      this.#sequence += batches;
    });
  }

  #kind(publisher: BatchPublisher<A>, memory: OutboxMemory): TwoPhaseKind<Journaled> {
    return {
      ...journaledCodec,
      check: (journaled) => {
        this.#codec.check(journaled);
      },
      publish: (journaled) =>
        memory.publishing(bytesOf(journaled), publisher.publish(journaled)).pipe(
          tap(({ is }) => {
            if (is === 'mine') this.#published(journaled.uid);
          }),
        ),
      describe: (journaled) => ({
        uri: this.#settings.target,
        bytes: bytesOf(journaled),
        records: journaled.records,
      }),
      concurrency: 1,
    };
  }

  #waits(journaled: Pick<Journaled, 'uid' | 'content'>): void {
    const { uid, content } = journaled;
    this.#forget(uid);
    const now = { bytes: tailLength(content), inline: content.inline?.length ?? 0 };
    this.#waiting.set(uid, now);
    this.#backlog += now.bytes;
    this.#inline += now.inline;
  }

  #forget(uid: string): void {
    const { bytes, inline } = this.#waiting.get(uid) ?? { bytes: 0, inline: 0 };
    this.#waiting.delete(uid);
    this.#backlog -= bytes;
    this.#inline -= inline;
  }

  #published(uid: string): void {
    this.turn(() => {
      this.#forget(uid);
      this.relieve();
    });
  }

  #deadLetters(attempt: Attempt): {
    readonly place: DeadLetters | undefined;
    readonly ready?: Observable<unknown>;
  } {
    const { deadLetter } = this.#settings;
    if (deadLetter === undefined) return { place: undefined };
    const location = attempt.use(stores).open(plainUri(deadLetter, configOf(attempt).transfer.entropy.key));
    const of = `sink '${this.id}': onPoison.deadLetter`;
    return {
      place: new DeadLetters(placeOf(location)),
      ready: checkpointsBelow(of, deadLetter, location, attempt.use(checkpointFolders)),
    };
  }
}

function needsCheckpoints(id: string): MillraceError {
  return new MillraceError(
    'NeedsCheckpoints',
    `Sink '${id}' publishes what a checkpoint holds, and bounded has none. Use createJob with a checkpoint directory.`,
  );
}
