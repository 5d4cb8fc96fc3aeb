import {
  catchError,
  concat,
  defaultIfEmpty,
  defer,
  from,
  ignoreElements,
  map,
  of,
  raceWith,
  retry,
  takeLast,
  tap,
  throwError,
  type Observable,
  type ObservableInput,
} from 'rxjs';
import { InvalidOption } from '../../config/units.js';
import { MillraceError } from '../../errors.js';
import { pause } from '../../flow/clock.js';
import type { Attempt } from '../../flow/index.js';
import { typeName } from '../../formats/typeName.js';
import { PublishFailed } from './errors.js';
import { reasonOf } from './journaled.js';
import { batchOf, type OutboxMark } from './mark.js';
import type { OutboxSettings } from './options.js';
import { alongside } from './readAhead.js';
import { verdictOn } from './retries.js';

/** Calls the functions of the user that reach the target. Each call is repeated until the target answers, or {@link verdictOn} gives up. */
export class TargetClient<A> {
  constructor(
    private readonly id: string,
    private readonly attempt: Pick<Attempt, 'clock' | 'random' | 'report'>,
    private readonly settings: Pick<
      OutboxSettings<A>,
      'publish' | 'published' | 'prepare' | 'retry' | 'timeout'
    >,
    /** See {@link verdictOn}. */
    private readonly patient: () => boolean,
  ) {}

  /** What can be done for a batch before its turn. */
  get prepare(): ((batch: readonly A[]) => void) | undefined {
    return this.settings.prepare;
  }

  /**
   * Completes when the target has the batch. Errors: {@link Refusal}, or what ends the attempt.
   *
   * @param meanwhile called when nothing is left to do until the target answers
   */
  publish(records: () => A[], mark: OutboxMark, meanwhile: () => void): Observable<never> {
    const { publish, prepare } = this.settings;
    const rule = 'a function that returns a promise or an Observable';
    const why = `It must be ${rule}, which tells when the target has the batch.`;
    return this.#tries(mark, (signal) => {
      const given = publish(records(), mark, signal, { clock: this.attempt.clock, meanwhile });
      const answer = from(returned(given, `publish of sink '${this.id}'`, rule, why)).pipe(ignoreElements());
      return prepare === undefined ? alongside(answer, meanwhile) : answer;
    });
  }

  /** Emits whether the target has the batch, which it refused. Errors: `UnknownOutcome`, or what ends the attempt. */
  published(records: () => A[], mark: OutboxMark): Observable<boolean> {
    const { published } = this.settings;
    if (published === undefined) return of(false);
    const what = `published of sink '${this.id}'`;
    const rule = 'a function that returns a promise or an Observable of true or false';
    const why = `It must be ${rule}: whether the target has the batch.`;
    return this.#tries(mark, (signal) =>
      from<ObservableInput<unknown>>(returned(published(records(), mark, signal), what, rule, why)).pipe(
        takeLast(1),
        defaultIfEmpty(undefined),
        map((answer) => {
          if (typeof answer === 'boolean') return answer;
          throw new InvalidOption(what, undefined, rule, `${what} answered ${typeName(answer)}. ${why}`);
        }),
      ),
    ).pipe(
      catchError((error: unknown) => {
        throw error instanceof Refusal ? unknownOutcome(mark, error.cause) : error;
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
          if (verdict === 'poison') return throwError(() => new Refusal(error));
          this.attempt.report({
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
}

/** The target refuses the batch; `cause` is what it failed with. */
export class Refusal extends Error {
  constructor(override readonly cause: unknown) {
    super();
  }
}

/** Callers may be JavaScript, where a forgotten `return` must not look like a target that fails. Errors: `InvalidOption`. */
function returned<T>(answer: T, what: string, rule: string, why: string): T {
  if (answer !== undefined && answer !== null) return answer;
  throw new InvalidOption(what, answer, rule, `${what} returned nothing. ${why}`);
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

function late(sink: string, timeout: number): PublishFailed {
  return new PublishFailed(
    `The target of sink '${sink}' did not answer within ${timeout} ms. Check the target, or raise \`timeout\`.`,
  );
}

function unknownOutcome(mark: OutboxMark, cause: unknown): MillraceError {
  return new MillraceError(
    'UnknownOutcome',
    `The target refused ${batchOf(mark)}, and does not answer whether it has it from an earlier try: ${reasonOf(cause).code}; \`cause\` has more. ` +
      'Nothing was written to the dead letters. Fix the target, or the function that asks it, and start the job again: it asks again.',
    { cause },
  );
}
