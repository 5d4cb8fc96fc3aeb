import {
  catchError,
  concat,
  concatMap,
  defaultIfEmpty,
  defer,
  EMPTY,
  from,
  ignoreElements,
  of,
  raceWith,
  range,
  retry,
  take,
  takeLast,
  tap,
  throwError,
  type Observable,
  type ObservableInput,
} from 'rxjs';
import { InvalidOption } from '../../config/units.js';
import { MillraceError } from '../../errors.js';
import type { Attempt } from '../../flow/index.js';
import { pause } from '../../flow/clock.js';
import { readTail } from '../../store/multipart/index.js';
import type { CheckpointData } from '../../store/services.js';
import type { SinkEvent } from '../events.js';
import type { PublishOutcome } from '../twoPhase/kind.js';
import { batchesIn, recordsIn, type StoredBatch } from './batches.js';
import type { DeadLetters } from './deadLetters.js';
import { PoisonBatch, PublishFailed } from './errors.js';
import type { Journaled, PoisonReason } from './journaled.js';
import type { Lineage } from './lineage.js';
import type { OutboxMark } from './mark.js';
import type { OutboxSettings } from './options.js';
import type { RecordCodec } from './recordCodec.js';
import { verdictOn } from './retries.js';

type Step = PublishOutcome<Journaled>;

/**
 * Publishes the batches of a journal that a durable manifest names, in order, each after the target has answered for the previous
 * one:
 *
 * 1. The journal is read back. Its batches are those that were written, whatever the options are now.
 * 2. Each batch that is not done is handed to the target with its mark, and again with the same mark until the target answers. *Crash*
 *    between any two, or an answer that is lost: all of the journal is published again, and the target takes what it lacks.
 * 3. A batch is poison: the journal is amended with that, and with what is done before it. When a durable manifest has this
 *    version, the target gets the mark without the records (`skip`). So a try that is still on its way finds its mark taken.
 *    If such a try came first, and the target has the batch, the journal is amended once more: the batch is done. Otherwise it is written
 *    to the dead letters, and the next ones are published. So whatever crashes, a batch is never in both places, and one that was written to
 *    the dead letters is never published. *Crash before* the manifest: it is tried again. *After:* the mark is there, and the same object
 *    is written again. A target without `skip` may take a late try, and then the batch is in both places.
 */
export class BatchPublisher<A> {
  constructor(
    private readonly id: string,
    private readonly attempt: Pick<Attempt, 'job' | 'jobId' | 'epoch' | 'clock' | 'random' | 'report'>,
    private readonly data: CheckpointData,
    private readonly settings: Pick<OutboxSettings<A>, 'publish' | 'skip' | 'retry' | 'timeout'>,
    private readonly codec: RecordCodec<A>,
    private readonly deadLetters: DeadLetters | undefined,
    private readonly lineage: Pick<Lineage, 'history'>,
    /** See {@link verdictOn}. */
    private readonly patient: () => boolean,
  ) {}

  publish(journaled: Journaled): Observable<Step> {
    const { uid, batches: count, done } = journaled;
    return defer(() => readTail(journaled.content, this.data)).pipe(
      concatMap((bytes) => {
        const batches = batchesIn(bytes, uid);
        if (batches.length !== count) throw miscounted(uid, batches.length, count);
        return range(done, count - done).pipe(
          concatMap((index) => this.#one(journaled, index, batches[index] as StoredBatch)),
        );
      }),
      take(1),
      defaultIfEmpty<Step, Step>({ is: 'mine', committable: journaled }),
    );
  }

  /** Completes when the batch is where it belongs, or emits the journal with the reason why it is poison. */
  #one(journaled: Journaled, index: number, batch: StoredBatch): Observable<Step> {
    const { uid, checkpoint, origin, sequence, serializer, done, poison } = journaled;
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
    const records = (): A[] => recordsIn(batch, (bytes) => this.codec.decode(bytes, serializer.version), uid);
    if (poison !== undefined && index === done)
      return this.#skip(mark).pipe(
        concatMap((skipped) =>
          skipped
            ? this.#bury(journaled, mark, records(), poison)
            : of<Step>({ is: 'notYet', amended: taken(journaled, batch) }),
        ),
      );
    // A record that cannot be decoded is not the target's fault, so it is none of its errors.
    records();
    return this.#handOver(records, mark).pipe(
      catchError((error: unknown) => {
        if (!(error instanceof Poison)) return throwError(() => error);
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

  /** Tries until the target has the batch. Errors: `Poison`, or what ends the attempt. */
  #handOver(records: () => A[], mark: OutboxMark): Observable<never> {
    const { publish } = this.settings;
    return this.#tries(mark, (signal) =>
      from(answerOf(this.id, publish(records(), mark, signal, this.attempt.clock))).pipe(ignoreElements()),
    );
  }

  /** Emits whether the target has the mark without the records. */
  #skip(mark: OutboxMark): Observable<boolean> {
    const { skip } = this.settings;
    if (skip === undefined) return of(true);
    return this.#tries(mark, (signal) => from(skip(mark, signal)).pipe(takeLast(1))).pipe(
      catchError((error: unknown) => {
        throw error instanceof Poison ? error.cause : error;
      }),
    );
  }

  #tries<T>(mark: OutboxMark, once: (signal: AbortSignal) => Observable<T>): Observable<T> {
    const { clock, random } = this.attempt;
    const { retry: settings, timeout } = this.settings;
    let unknown = 0;
    return abortable(once).pipe(
      raceWith(
        concat(
          pause(clock, timeout),
          throwError(() => late(this.id, timeout)),
        ),
      ),
      retry({
        delay: (error: unknown, tried) => {
          if (!(error instanceof MillraceError)) unknown++;
          const verdict = verdictOn(error, { all: tried, unknown }, settings, this.patient(), random());
          if (verdict === 'end') return throwError(() => error);
          if (verdict === 'poison') return throwError(() => new Poison(error));
          this.#report({
            type: 'publish-retried',
            operator: this.id,
            checkpoint: mark.checkpoint,
            sequence: mark.sequence,
            tried,
            delayMs: verdict.delay,
            error,
          });
          return concat(pause(clock, verdict.delay), of(undefined));
        },
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

/** Callers may be JavaScript, where a forgotten `return` must not look like a target that fails. Errors: `InvalidOption`. */
function answerOf<T extends ObservableInput<unknown>>(sink: string, answer: T): T {
  if ((answer as unknown) !== undefined && (answer as unknown) !== null) return answer;
  const rule = 'a function that returns a promise or an Observable';
  throw new InvalidOption(
    `sink '${sink}': publish`,
    answer,
    rule,
    `publish of sink '${sink}' returned nothing. It must be ${rule}, which tells when the target has the batch.`,
  );
}

/** The journal when the target has the batch that was taken for poison. */
function taken(journaled: Journaled, { records }: StoredBatch): Journaled {
  const { done } = journaled;
  return { ...journaled, done: done + 1, records: journaled.records + records, poison: undefined };
}

/** The batch is poison; `cause` is what the target failed with. */
class Poison extends Error {
  constructor(override readonly cause: unknown) {
    super();
  }
}

/** Runs `work` with a signal that is aborted if it is unsubscribed before its end. */
function abortable<T>(work: (signal: AbortSignal) => Observable<T>): Observable<T> {
  return defer(() => {
    const controller = new AbortController();
    return work(controller.signal).pipe(
      tap({
        unsubscribe: () => {
          controller.abort();
        },
      }),
    );
  });
}

/** For manifests and dead letters, which other people read. */
function reasonOf(error: unknown): PoisonReason {
  const { code, name, message } = (error ?? {}) as Partial<Record<'code' | 'name' | 'message', unknown>>;
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  return {
    code: text(code) ?? text(name) ?? 'unknown',
    message: (text(message) ?? '').slice(0, 500).toWellFormed(),
  };
}

const batchOf = ({ sink, checkpoint, sequence }: OutboxMark): string =>
  `batch ${sequence} of checkpoint ${checkpoint} of sink '${sink}'`;

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

function late(sink: string, timeout: number): PublishFailed {
  return new PublishFailed(
    `The target of sink '${sink}' did not answer within ${timeout} ms. Check the target, or raise \`timeout\`.`,
  );
}

function miscounted(uid: string, found: number, count: number): MillraceError {
  return new MillraceError(
    'CorruptJournal',
    `${uid}: the journal has ${found} batches, not ${count}. Restore the object from a version or backup of the bucket.`,
  );
}
