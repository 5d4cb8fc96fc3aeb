/**
 * A history of an outbox on any store, also one that answers later: the store fails requests before or after their effect, or the
 * process crashes at them; the target meets batches as it is told. A step is over when nothing is in flight.
 */
import { lastValueFrom, Observable, toArray } from 'rxjs';
import type { MillraceError } from '../../../src/errors.js';
import type { FlowOperator } from '../../../src/flow/index.js';
import type { OutboxSinkOptions } from '../../../src/sinks/outbox/options.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { StoreError } from '../../../src/store/errors.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { InFlight } from '../../store/inFlight.js';
import { Run, World, type Line } from '../harness.js';
import type { Meeting } from './target.js';

/** How a request to the store ends. A crash ends the process with it. */
export type Fate = 'take' | 'before' | 'after' | 'crash before' | 'crash after';

export const isPoison = (i: number): boolean => i % 11 === 5;
/** Some are long. */
export const textOf = (i: number): string =>
  `${i}${isPoison(i) ? ' poison' : ''}${'.'.repeat((i * 37) % 150)}`;
const numberOf = (text: string): number => parseInt(text);

/** What the options of a sink are here, whatever its target is. */
export const outboxOptions = {
  maxBatch: { records: 5, bytes: 700 },
  retry: { tries: 2, initial: 10 },
  timeout: 1000,
  budget: 4096,
  backlog: 2000,
} as const satisfies Partial<OutboxSinkOptions<Line>>;

/** A target that refuses rows with `poison` in them at first, and the sink that writes to it. */
export interface OutboxTarget {
  /** How it meets the next batches, or requests of batches. Afterwards it takes them. */
  meetings: Meeting[];
  /** @param deadLetter the folder */
  sink(inFlight: InFlight, deadLetter: string): FlowOperator<Line, never>;
  /** All rows, in the order in which they were stored. */
  rows(): Promise<readonly string[]>;
  /** From now on it refuses rows with this in them. */
  refuse(what: string): Promise<void>;
  /** What was held reaches it. */
  release(count: number): void;
}

export class History {
  readonly inFlight = new InFlight();
  readonly world: World;
  /** Those of the next requests to the store. */
  fates: Fate[] = [];
  /** Requests of living attempts. */
  requests = 0;
  run!: Run;
  #process = { dead: false, fenced: false };

  constructor(
    store: ObjectStore,
    private readonly folder: string,
    private readonly target: OutboxTarget,
  ) {
    this.world = new World({ store: this.inFlight.wrap(store), folder });
    this.recover();
  }

  /** The process dies, or becomes a zombie, which lives on but cannot write to the log. The next one starts. */
  recover(zombie = false): void {
    if ((this.run as Run | undefined) !== undefined) {
      this.#process.fenced = true;
      if (!zombie) {
        this.#process.dead = true;
        this.run.stop();
      }
    }
    const process = { dead: false, fenced: false };
    this.#process = process;
    this.run = new Run(this.world, {
      operator: this.target.sink(this.inFlight, `${this.world.store.uri}/${this.folder}rejects`),
      auto: false,
      wrap: (store) => this.#fated(store, process),
      dead: () => process.dead || process.fenced,
    });
  }

  write(count: number): void {
    for (let i = 0; i < count && this.run.error === undefined; i++)
      this.run.line('', textOf(this.run.position));
  }

  /** Waits, and starts the next process if this one has crashed or failed. Then checks what the target has. */
  async settled(): Promise<void> {
    await this.inFlight.none();
    const { error } = this.run;
    const { retryable, code } = (error ?? {}) as Partial<MillraceError>;
    // Somebody starts the job again.
    if (error !== undefined && retryable !== true && code !== 'UnknownOutcome') throw error as Error;
    if (error !== undefined || this.#process.dead) {
      this.recover();
      return this.settled();
    }
    const rows = (await this.target.rows()).map((text) => {
      const i = numberOf(text);
      expect(text).toBe(textOf(i));
      return i;
    });
    expect(rows).toEqual([...rows].sort((a, b) => a - b));
    const all = [...rows, ...(await this.buried())];
    expect(new Set(all).size).toBe(all.length);
    expect(all.every((i) => i < this.world.manifest.position)).toBe(true);
  }

  /** Everything works from now on: the input ends, and is where it belongs. */
  async finish(): Promise<void> {
    this.fates = [];
    this.target.meetings = [];
    this.recover();
    await this.settled();
    this.run.end();
    for (let i = 0; i < 500 && (i < 3 || this.world.manifest.pending.length > 0); i++) {
      await this.inFlight.none();
      this.run.durable();
      await this.inFlight.none();
      this.run.settle();
      await this.settled();
      this.world.clock.advance(5000);
    }
    await this.settled();
    this.target.release(Infinity);
    await this.settled();
    const rows = (await this.target.rows()).map(numberOf);
    const all = [...rows, ...(await this.buried())].sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: this.run.position }, (_, i) => i));
    expect(this.world.manifest.pending).toEqual([]);
    expect([...this.world.journals]).toEqual([]);
    this.#process.dead = true;
    this.run.stop();
  }

  /** The records among the dead letters. */
  async buried(): Promise<number[]> {
    const { store } = this.world;
    const pages = await lastValueFrom(store.list({ prefix: `${this.folder}rejects` }).pipe(toArray()));
    const found: number[] = [];
    for (const { key } of pages.flatMap(({ objects }) => objects)) {
      const { chunks } = await lastValueFrom(store.get(key));
      const lines = Buffer.concat(chunks).toString().trim().split('\n').slice(1);
      found.push(...lines.map((line) => numberOf((JSON.parse(line) as Line).text)));
    }
    return found;
  }

  #fated(store: ObjectStore, process: { dead: boolean }): ObjectStore {
    return decorate(
      store,
      ({ method, key }, run) =>
        new Observable((out) => {
          if (process.dead) return;
          this.requests++;
          const fate = this.fates.shift() ?? 'take';
          const lost = new StoreError('Unavailable', `Injected: ${method} ${key} has no answer.`);
          if (fate === 'before') out.error(lost);
          if (fate.startsWith('crash')) process.dead = true;
          if (fate.endsWith('before')) return;
          // Not torn down with `out`: the request has left the process.
          run.subscribe({
            next: (answer) => {
              if (fate === 'take' && !process.dead) out.next(answer);
            },
            error: (error: unknown) => {
              if (!process.dead) out.error(fate === 'after' ? lost : error);
            },
            complete: () => {
              if (fate === 'after') out.error(lost);
              else if (!process.dead) out.complete();
            },
          });
        }),
    );
  }
}
