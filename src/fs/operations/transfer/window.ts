/**
 * The sliding window of a transfer: limits the concurrent requests and bytes of all objects.
 *
 * A job waits until there is room, and occupies a place until it ends. The waiting object with the fewest running jobs is
 * next; so a stalled object keeps its places, but gets no more while others wait, and as long as more objects may come it
 * never has all. A job whose bytes do not fit lets smaller ones pass; one larger than the limit runs when no other job holds
 * bytes. The bytes count against the memory budget of the process, from the first job with bytes until `close`.
 */
import { Observable } from 'rxjs';
import type { Allow, Allowance } from '../../../job/memory/index.js';

interface Job {
  readonly bytes: number;
  readonly start: () => void;
}

export interface WindowLimits {
  readonly requests: number;
  /** The maximum limit. */
  readonly bytes: number;
  /** Bytes that are taken in any case: those of an ordinary job. */
  readonly floor: number;
  readonly allow: Allow;
  /** The bytes that jobs may hold now. */
  readonly resized: (bytes: number) => void;
}

export class Window {
  readonly #limits: WindowLimits;
  #allowance: Allowance | undefined;
  readonly #waiting = new Map<object, Job[]>();
  readonly #running = new Map<object, number>();
  #requestsHeld = 0;
  #bytesHeld = 0;
  #pumping = false;
  #newcomers = true;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** No job runs any more: gives the memory back. */
  close(): void {
    const allowance = this.#allowance;
    this.#allowance = undefined;
    allowance?.leave();
  }

  /** There will be no more owners: the last one may take all places. */
  noNewcomers(): void {
    this.#newcomers = false;
    this.#pump();
  }

  /** Runs `job` once there is room. Unsubscribing withdraws or aborts it. Errors: `MemoryTooSmall`, and those of the job. */
  run<T>(owner: object, bytes: number, job: Observable<T>): Observable<T> {
    return new Observable((out) => {
      if (bytes > 0) this.#open();
      let started = false;
      const waiting: Job = {
        bytes,
        start: () => {
          started = true;
          job.subscribe(out);
          // After the job's own teardown.
          out.add(() => this.#release(owner, bytes));
        },
      };
      const jobs = this.#waiting.get(owner);
      if (jobs === undefined) this.#waiting.set(owner, [waiting]);
      else jobs.push(waiting);
      out.add(() => {
        if (!started) this.#withdraw(owner, waiting);
      });
      this.#pump();
    });
  }

  #release(owner: object, bytes: number): void {
    const left = (this.#running.get(owner) ?? 0) - 1;
    if (left > 0) this.#running.set(owner, left);
    else this.#running.delete(owner);
    this.#requestsHeld -= 1;
    this.#bytesHeld -= bytes;
    this.#pump();
    this.#report();
  }

  #withdraw(owner: object, job: Job): void {
    const jobs = this.#waiting.get(owner)?.filter((other) => other !== job) ?? [];
    if (jobs.length === 0) this.#waiting.delete(owner);
    else this.#waiting.set(owner, jobs);
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#requestsHeld < this.#limits.requests) {
      const owner = this.#next();
      if (owner === undefined) break;
      const jobs = this.#waiting.get(owner) ?? [];
      const job = jobs.shift();
      if (jobs.length === 0) this.#waiting.delete(owner);
      if (job === undefined) continue;
      this.#running.set(owner, (this.#running.get(owner) ?? 0) + 1);
      this.#requestsHeld += 1;
      this.#bytesHeld += job.bytes;
      if (job.bytes > this.#bytes) this.#report();
      job.start();
    }
    this.#pumping = false;
  }

  /** The next owner; the oldest of equals. */
  #next(): object | undefined {
    let best: object | undefined;
    let fewest = this.#newcomers ? Math.max(1, Math.ceil(this.#limits.requests * 0.75)) : Infinity;
    for (const [owner, [job]] of this.#waiting) {
      const running = this.#running.get(owner) ?? 0;
      if (job === undefined || running >= fewest || !this.#fits(job.bytes)) continue;
      best = owner;
      fewest = running;
    }
    return best;
  }

  #fits(bytes: number): boolean {
    return bytes === 0 || this.#bytesHeld === 0 || this.#bytesHeld + bytes <= this.#bytes;
  }

  get #bytes(): number {
    return this.#allowance?.limit ?? 0;
  }

  #open(): void {
    const before = this.#allowance;
    if (before !== undefined) return;
    const { bytes, floor, allow } = this.#limits;
    const allowance = allow({
      who: 'a copy',
      floor,
      most: bytes,
      changed: () => {
        this.#resize();
        this.#pump();
        this.#report();
      },
    });
    // Others are told of their limits meanwhile, and what that sets off may run a job here.
    if (this.#allowance !== undefined) {
      allowance.leave();
      return;
    }
    this.#allowance = allowance;
    this.#resize();
    this.#report();
  }

  #resize(): void {
    this.#limits.resized(this.#bytes);
  }

  #report(): void {
    this.#allowance?.holds(Math.max(this.#limits.floor, this.#bytesHeld));
  }
}
