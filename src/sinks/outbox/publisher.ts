import {
  catchError,
  concat,
  concatMap,
  defaultIfEmpty,
  defer,
  EMPTY,
  of,
  range,
  take,
  throwError,
  type Observable,
} from 'rxjs';
import { MillraceError } from '../../errors.js';
import type { Attempt } from '../../flow/index.js';
import { readTail } from '../../store/multipart/index.js';
import type { CheckpointData } from '../../store/services.js';
import type { SinkEvent } from '../events.js';
import type { PublishOutcome } from '../twoPhase/kind.js';
import { batchesIn, recordsIn, type StoredBatch } from './batches.js';
import type { DeadLetters } from './deadLetters.js';
import { PoisonBatch } from './errors.js';
import { reasonOf, type Journaled, type PoisonReason } from './journaled.js';
import type { Lineage } from './lineage.js';
import { batchOf, type OutboxMark } from './mark.js';
import { ReadAhead } from './readAhead.js';
import type { RecordCodec } from './recordCodec.js';
import { Refusal, type TargetClient } from './targetClient.js';

type Step = PublishOutcome<Journaled>;

/**
 * Publishes the batches of a journal that a durable manifest names, in order, each after the target has answered for the previous
 * one:
 *
 * 1. The journal is read back. Its batches are those that were written, whatever the options are now.
 * 2. Each batch that is not done is handed to the target with its mark, and again with the same mark until the target answers. Meanwhile
 *    the next one is decoded. *Crash* between any two, or an answer that is lost: all of the journal is published again, and the
 *    target takes what it lacks.
 * 3. A batch is poison: the journal is amended with that, and with what is done before it. When a durable manifest has this
 *    version, the batch is not published any more, and the target is asked whether it has it (`published`), since the answer of an earlier try may be lost.
 *    - It has it: the journal is amended once more, as the batch is done.
 *    - It has not, and stores the mark alone, so a try that is still on its way finds its mark taken. The batch is written
 *      to the dead letters, and the next ones are published.
 *    - It does not answer: it is asked again, as often as `retries.ts` allows. Then the attempt ends (`UnknownOutcome`), and
 *      the batch is in the manifest as before.
 *
 *    *Crash before* the manifest: the batch is tried again. *Between manifest, answer, dead letter and the next manifest:* the target is asked
 *    again. Its answer is the same, and so is the object; or it has a later batch, which means that the object is there (`isPublished`). So the batch is in one of
 *    the two places. A target that cannot be asked may have it as well, and one that only looks may take a late try.
 */
export class BatchPublisher<A> {
  constructor(
    private readonly id: string,
    private readonly attempt: Pick<Attempt, 'job' | 'jobId' | 'epoch' | 'report'>,
    private readonly data: CheckpointData,
    private readonly target: TargetClient<A>,
    private readonly codec: RecordCodec<A>,
    private readonly deadLetters: DeadLetters | undefined,
    private readonly lineage: Pick<Lineage, 'history'>,
  ) {}

  publish(journaled: Journaled): Observable<Step> {
    const { uid, batches: count, done } = journaled;
    return defer(() => readTail(journaled.content, this.data)).pipe(
      concatMap((bytes) => {
        const batches = batchesIn(bytes, uid);
        if (batches.length !== count) throw miscounted(uid, batches.length, count);
        const decode = (batch: StoredBatch): A[] =>
          recordsIn(batch, (record) => this.codec.decode(record, journaled.serializer.version), uid);
        const reader = new ReadAhead(batches, decode, this.target.prepare);
        return range(done, count - done).pipe(
          concatMap((index) => this.#one(journaled, index, batches[index] as StoredBatch, reader)),
        );
      }),
      take(1),
      defaultIfEmpty<Step, Step>({ is: 'mine', committable: journaled }),
    );
  }

  /** Completes when the batch is where it belongs, or emits the journal with the reason why it is poison. */
  #one(journaled: Journaled, index: number, batch: StoredBatch, reader: ReadAhead<A>): Observable<Step> {
    const { checkpoint, origin, sequence, done, poison } = journaled;
    const { jobId, epoch } = this.attempt;
    const mark: OutboxMark = {
      jobId,
      sink: this.id,
      checkpoint,
      sequence: sequence + index,
      epoch,
      origin,
      history: this.lineage.history,
    };
    // A record that cannot be decoded is not the target's fault, so it is none of its errors.
    const records = reader.take(index);
    if (poison !== undefined && index === done)
      return this.target
        .published(records, mark)
        .pipe(
          concatMap((has) =>
            has
              ? of<Step>({ is: 'notYet', amended: taken(journaled, batch) })
              : this.#bury(journaled, mark, records(), poison),
          ),
        );
    const meanwhile = (): void => {
      reader.ahead(index + 1);
    };
    return this.target.publish(records, mark, meanwhile).pipe(
      catchError((error: unknown) => {
        if (!(error instanceof Refusal)) return throwError(() => error);
        if (this.deadLetters === undefined) return throwError(() => poisonBatch(mark, error.cause));
        const amended: Journaled = {
          ...journaled,
          done: index,
          records: journaled.records - batch.records,
          poison: reasonOf(error.cause),
        };
        return of<Step>({ is: 'notYet', amended });
      }),
    );
  }

  #bury({ uid }: Journaled, mark: OutboxMark, records: readonly A[], error: PoisonReason): Observable<never> {
    const { deadLetters } = this;
    if (deadLetters === undefined) return throwError(() => withoutFolder(mark));
    const { jobId, sink, checkpoint, sequence, epoch, origin } = mark;
    const number = String(sequence).padStart(9, '0');
    // With the origin: if the log is restored from a backup, the uid may be used again.
    const name = `${[uid, number, ...(origin === undefined ? [] : [origin])].join('-')}.ndjson`;
    const header = {
      job: this.attempt.job,
      mark: { jobId, sink, checkpoint, sequence, epoch, origin },
      records: records.length,
      error,
    };
    return concat(
      deadLetters.write(name, header, records, (record) => this.codec.encode(record)),
      defer(() => {
        this.#report({
          type: 'batch-dead-lettered',
          operator: this.id,
          checkpoint: mark.checkpoint,
          sequence: mark.sequence,
          uri: deadLetters.uriOf(name),
          records: records.length,
          reason: `${error.code}: ${error.message}`,
        });
        return EMPTY;
      }),
    );
  }

  #report(event: SinkEvent): void {
    this.attempt.report(event);
  }
}

/** The journal when the target has the batch that was taken for poison. */
function taken(journaled: Journaled, { records }: StoredBatch): Journaled {
  const { done } = journaled;
  return { ...journaled, done: done + 1, records: journaled.records + records, poison: undefined };
}

function poisonBatch(mark: OutboxMark, cause: unknown): PoisonBatch {
  // The messages of other errors may have values.
  const why = cause instanceof PoisonBatch ? cause.message : `${reasonOf(cause).code}; \`cause\` has more.`;
  return new PoisonBatch(
    `The target refused ${batchOf(mark)}: ${why} Fix the target or what makes the records, or set onPoison: { deadLetter: 's3://…' }, and start the job again.`,
    { cause },
  );
}

function withoutFolder(mark: OutboxMark): MillraceError {
  return new PoisonBatch(
    `The checkpoint decides that ${batchOf(mark)} goes to the dead letters, and may be there already. Start the job with onPoison: { deadLetter: 's3://…' }.`,
  );
}

function miscounted(uid: string, found: number, count: number): MillraceError {
  return new MillraceError(
    'CorruptJournal',
    `${uid}: the journal has ${found} batches, not ${count}. Restore the object from a version or backup of the bucket.`,
  );
}
