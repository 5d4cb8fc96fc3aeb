import { SingleBar } from 'cli-progress';
import type { BulkProgress, Progress } from '../../fs/operations/index.js';
import type { Io } from '../io.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { barLine, plainLine, type Standing } from './progressLine.js';
import { Rate } from './rate.js';
import { counted, size, time } from './units.js';

/** The delay before the bar is shown. Milliseconds. */
const patience = 400;
/** The interval of lines without a terminal, and of JSON records. Milliseconds. */
const lineEvery = 10_000;
const recordEvery = 1000;

/** The verb of an operation in two tenses. */
export interface Verb {
  readonly doing: string;
  readonly done: string;
}

/**
 * Shows the progress of an operation on standard error: a bar on a terminal, otherwise occasional lines, or JSON records. At the
 * end it shows a summary; with JSON, that is the command's result on standard output.
 */
export class Meter implements Disposable {
  readonly #session: Pick<Session, 'json' | 'quiet' | 'err'>;
  readonly #results: Output | undefined;
  readonly #verb: Verb;
  readonly #now: () => number;
  readonly #rate = new Rate();
  readonly #begun: number;
  readonly #bar: SingleBar | undefined;
  #timer: NodeJS.Timeout | undefined;
  #told: number;
  #last: BulkProgress | Progress | undefined;

  /** @param results receives the summary as JSON; absent if standard output has data */
  constructor(session: Pick<Session, 'json' | 'quiet' | 'err' | 'io'>, verb: Verb, results?: Output) {
    const { json, quiet, err, io } = session;
    this.#session = session;
    this.#results = results;
    this.#verb = verb;
    this.#now = io.now ?? (() => performance.now());
    this.#begun = this.#told = this.#now();
    if (json || quiet || !err.isTerminal) return;
    const unicode = /utf-?8/i.test(localeOf(io.env));
    const bar = new SingleBar({
      format: () => barLine(this.#standing(), { columns: err.columns, unicode }),
      stream: io.stderr,
      hideCursor: true,
      clearOnComplete: true,
      fps: 8,
    });
    this.#bar = bar;
    this.#show();
    err.beforeLine = () => {
      this.#hide();
      this.#show();
    };
  }

  update(progress: BulkProgress | Progress): void {
    this.#last = progress;
    const now = this.#now();
    this.#rate.note(now, sent(progress));
    const { json, quiet, err } = this.#session;
    if (quiet || this.#bar !== undefined || now - this.#told < (json ? recordEvery : lineEvery)) return;
    this.#told = now;
    if (json) err.record({ type: 'progress', ...progress });
    else err.line(plainLine(this.#standing()));
  }

  /** Shows the summary. */
  end(): void {
    this.stop();
    const progress = this.#last;
    if (progress === undefined) return;
    const seconds = (this.#now() - this.#begun) / 1000;
    if (this.#session.json) {
      const { objects, bytes } = progress;
      const skipped = 'skipped' in progress ? { skipped: progress.skipped } : {};
      this.#results?.record({
        type: this.#verb.done.toLowerCase(),
        objects: objects.done,
        bytes: bytes.done,
        ...skipped,
        seconds: Math.round(seconds * 1000) / 1000,
      });
    } else if (!this.#session.quiet) this.#session.err.line(summary(this.#verb, progress, seconds));
  }

  /** Removes the bar. */
  stop(): void {
    this.#session.err.beforeLine = undefined;
    this.#hide();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #show(): void {
    this.#timer = setTimeout(() => this.#bar?.start(1, 0), patience);
  }

  #hide(): void {
    clearTimeout(this.#timer);
    this.#bar?.stop();
  }

  #standing(): Standing {
    const progress = this.#last ?? { objects: { done: 0 }, bytes: { done: 0 }, uri: '' };
    return { doing: this.#verb.doing, progress, rate: this.#rate.at(this.#now(), sent(progress)) };
  }
}

/** `Copied 3 objects, 2.0 GiB in 19 s (107 MiB/s). 4 were there already.` */
export function summary({ done }: Verb, progress: BulkProgress | Progress, seconds: number): string {
  const skipped = 'skipped' in progress ? progress.skipped.objects : 0;
  const objects = progress.objects.done - skipped;
  const bytes = sent(progress);
  const before = progress.bytes.done - bytes;
  const there =
    skipped > 0
      ? ` ${counted(skipped, 'was', 'were')} there already.`
      : before > 0
        ? ` ${size(before)} had arrived before.`
        : '';
  if (objects === 0 && skipped > 0) return `Nothing to do:${there}`;
  const took = seconds < 1 ? '' : ` in ${time(seconds)} (${size(bytes / seconds)}/s)`;
  return `${done} ${counted(objects, 'object')}, ${size(bytes)}${took}.${there}`;
}

/** Bytes that were sent: skipped ones do not count for the rate. */
function sent(progress: BulkProgress | Progress): number {
  return progress.bytes.done - ('skipped' in progress ? progress.skipped.bytes : 0);
}

function localeOf(env: Io['env']): string {
  return (
    [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((name) => name !== undefined && name !== '') ?? ''
  );
}
