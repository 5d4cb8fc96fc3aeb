/**
 * Copies many objects in bounded memory: the next page of tasks is requested only when few are left. As many objects are open
 * as the window has places, each with at least one request waiting or running; the window assigns the places. A failed object
 * does not stop the others.
 */
import { Observable, type Subscriber } from 'rxjs';
import { MillraceError } from '../../../errors.js';
import { asError, mostFailures, OperationError, PartlyFailed, type Failure } from '../errors.js';
import type { BulkProgress } from '../../types.js';
import { isResumeFileKey } from './resumeFile.js';
import { copyObject, type CopySettings } from './object.js';
import type { Step, Task } from './task.js';

/** Pages of tasks and failures. Subscribe to `pace` after each page, and emit the next one when it completes. */
export type Tasks = (pace: Observable<never>) => Observable<readonly (Task | Failure)[]>;

/** Called with each step; the last one of an object has its ETag. */
export type OnStep = (task: Task, step: Step) => void;

export function transfer(tasks: Tasks, settings: CopySettings, onStep?: OnStep): Observable<BulkProgress> {
  return new Observable((out) => {
    const running = new Transfer(settings, onStep, out);
    running.start(tasks);
  });
}

class Transfer {
  readonly #settings: CopySettings;
  readonly #onStep: OnStep | undefined;
  readonly #out: Subscriber<BulkProgress>;
  readonly #waiting: Task[] = [];
  readonly #brakes = new Set<Subscriber<never>>();
  readonly #failures: Failure[] = [];
  #open = 0;
  /** The current object has the name of a resume file, so no other is copied meanwhile. */
  #alone = false;
  #listed = false;
  #pumping = false;
  #told = false;
  readonly #total = { objects: 0, bytes: 0 };
  readonly #done = { objects: 0, bytes: 0 };
  readonly #skipped = { objects: 0, bytes: 0 };
  #uri = '';

  constructor(settings: CopySettings, onStep: OnStep | undefined, out: Subscriber<BulkProgress>) {
    this.#settings = settings;
    this.#onStep = onStep;
    this.#out = out;
  }

  start(tasks: Tasks): void {
    const pace = new Observable<never>((brake) => {
      this.#brakes.add(brake);
      brake.add(() => this.#brakes.delete(brake));
      this.#pump();
    });
    this.#out.add(
      tasks(pace).subscribe({
        next: (page) => {
          for (const one of page) this.#take(one);
          this.#pump();
        },
        error: (error: unknown) => this.#out.error(error),
        complete: () => {
          this.#listed = true;
          this.#pump();
        },
      }),
    );
  }

  #take(one: Task | Failure): void {
    if ('error' in one) {
      this.#failed(one);
      return;
    }
    this.#waiting.push(one);
    this.#total.objects += 1;
    this.#total.bytes += one.source.size;
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#out.closed) {
      if (this.#mayBegin()) this.#begin();
      else if (this.#waiting.length < this.#settings.objectsAtOnce && this.#brakes.size > 0) this.#release();
      else break;
    }
    this.#pumping = false;
    if (!this.#listed || this.#waiting.length > 0) return;
    this.#settings.window.noNewcomers();
    if (this.#open === 0) this.#end();
  }

  #mayBegin(): boolean {
    const [next] = this.#waiting;
    if (next === undefined || this.#alone) return false;
    return this.#open < (isResumeFileKey(next.key) ? 1 : this.#settings.objectsAtOnce);
  }

  #begin(): void {
    const task = this.#waiting.shift();
    if (task === undefined) return;
    this.#open += 1;
    this.#alone = isResumeFileKey(task.key);
    let sent = 0;
    let skipped = 0;
    this.#out.add(
      copyObject(task, this.#settings).subscribe({
        next: (step) => {
          sent += step.bytes;
          skipped += step.skipped;
          this.#done.bytes += step.bytes;
          this.#skipped.bytes += step.skipped;
          if (step.same === true) this.#skipped.objects += 1;
          this.#onStep?.(task, step);
          // The last one is reported on completion.
          if (step.etag === undefined) this.#tell(task);
        },
        error: (error: unknown) => {
          // If one source is its own target, all may be; if there is no memory for one, there is none for all. So stop.
          const isForAll = this.#settings.removesSource && error instanceof OperationError;
          if (isForAll || (error instanceof MillraceError && error.code === 'MemoryTooSmall')) {
            this.#out.error(error);
            return;
          }
          this.#done.bytes -= sent;
          this.#skipped.bytes -= skipped;
          this.#failed({ uri: task.from.uri(task.source.key), error: asError(error) });
          this.#closed();
        },
        complete: () => {
          this.#done.objects += 1;
          this.#tell(task);
          this.#closed();
        },
      }),
    );
  }

  #failed(failure: Failure): void {
    this.#failures.push(failure);
    if (this.#failures.length < mostFailures) return;
    this.#out.error(new PartlyFailed('CopyFailed', 'copied', this.#failures, { more: true }));
  }

  #closed(): void {
    this.#open -= 1;
    this.#alone = false;
    this.#pump();
  }

  #release(): void {
    for (const brake of [...this.#brakes]) brake.complete();
  }

  #tell(task: Task): void {
    this.#uri = task.to.uri(task.key);
    this.#emit();
  }

  #emit(): void {
    const { objects, bytes } = this.#total;
    this.#told = this.#listed;
    this.#out.next({
      objects: { done: this.#done.objects, ...(this.#listed ? { total: objects } : {}) },
      bytes: { done: this.#done.bytes, ...(this.#listed ? { total: bytes } : {}) },
      skipped: { ...this.#skipped },
      uri: this.#uri,
    });
  }

  #end(): void {
    if (this.#failures.length > 0) {
      this.#out.error(new PartlyFailed('CopyFailed', 'copied', this.#failures));
      return;
    }
    if (!this.#told) this.#emit();
    this.#out.complete();
  }
}
