/**
 * Throttles the input of the job.
 *
 * Without it a job of a few seconds would be over before it could be killed eight times. The input's bytes are let
 * through so that the job never runs out of input before the next kill: at any time at a rate proportional to what is
 * left before the next mark, and the marks divide the set evenly among the kills. After the last kill there is no limit.
 * The unit is the event, so that a gzipped byte weighs as much as what is in it.
 */

export interface PaceOptions {
  /** Events and stored bytes of each input object, by key. */
  readonly objects: ReadonlyMap<string, { readonly events: number; readonly bytes: number }>;
  /** Kills to come. */
  readonly kills: number;
  /** About how long the job runs between two kills, seconds. */
  readonly seconds: number;
}

export interface Reader {
  /** Resolves when the reader may read this many bytes. */
  pass(bytes: number): Promise<void>;
  /** The reader is done: the next one continues. */
  done(): void;
}

interface Waiting {
  readonly ticket: number;
  readonly events: number;
  readonly go: () => void;
}

export class Pace {
  readonly #options: PaceOptions;
  readonly #total: number;
  /** Bytes up to which each object was read. */
  readonly #read = new Map<string, number>();
  #restarted = true;
  #kills = 0;
  #balance = 0;
  #at = performance.now();
  #tickets = 0;
  readonly #readers = new Set<number>();
  readonly #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#total = [...options.objects.values()].reduce((sum, { events }) => sum + events, 0);
  }

  /** Events per second at this moment. */
  get rate(): number {
    const { kills, seconds } = this.#options;
    if (this.#kills >= kills) return Infinity;
    const share = this.#total / (kills + 1);
    const left = (this.#kills + 1) * share - this.events;
    return Math.max(left / seconds, share / 8);
  }

  /** How much of the input was read, in events. */
  get events(): number {
    let sum = 0;
    for (const [key, bytes] of this.#read) sum += bytes * this.#density(key);
    return sum;
  }

  /** Half of the way from the last mark to the next is done: the next kill may come, and there is input left for it. */
  get due(): boolean {
    return this.events >= ((this.#kills + 0.5) * this.#total) / (this.#options.kills + 1);
  }

  /** The job was killed: the next one reads from where the durable checkpoint says. */
  killed(): void {
    this.#kills++;
    this.#restarted = true;
    this.#settle();
  }

  /**
   * A read of an object starts at this byte. Strictly one after the other, the oldest first: were the rate divided among
   * all that a job has asked for, it would have nothing whole to work on for a long time.
   */
  reader(key: string, start: number): Reader {
    const ticket = this.#tickets++;
    this.#readers.add(ticket);
    if (this.#restarted) {
      // Objects are read in the order of their keys: what was read from here on is read again.
      for (const read of this.#read.keys()) if (read >= key) this.#read.delete(read);
      this.#restarted = false;
    }
    this.#read.set(key, Math.max(this.#read.get(key) ?? 0, start));
    let position = start;
    return {
      pass: async (bytes) => {
        await this.#take(ticket, bytes * this.#density(key));
        position += bytes;
        this.#read.set(key, Math.max(this.#read.get(key) ?? 0, position));
      },
      done: () => {
        this.#readers.delete(ticket);
        for (const gone of this.#waiting.filter((one) => one.ticket === ticket)) this.#release(gone);
        this.#settle();
      },
    };
  }

  #density(key: string): number {
    const object = this.#options.objects.get(key);
    return object === undefined || object.bytes === 0 ? 0 : object.events / object.bytes;
  }

  #take(ticket: number, events: number): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ ticket, events, go });
      this.#settle();
    });
  }

  /** Lets the oldest reader continue if the balance allows; it may be overdrawn by one chunk. */
  #settle(): void {
    clearTimeout(this.#timer);
    const { rate } = this;
    const now = performance.now();
    this.#balance =
      rate === Infinity ? Infinity : Math.min(rate / 20, this.#balance + ((now - this.#at) / 1000) * rate);
    this.#at = now;
    for (const next of this.#next(rate)) {
      if (this.#balance <= 0) break;
      this.#balance -= next.events;
      this.#release(next);
    }
    if (this.#waiting.length > 0) {
      const delay = Math.min(1000, Math.max(5, (-this.#balance / rate) * 1000));
      this.#timer = setTimeout(() => this.#settle(), delay);
    }
  }

  #release(waiting: Waiting): void {
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    waiting.go();
  }

  /** The readers that may continue: all without a limit, otherwise only the oldest. */
  #next(rate: number): Waiting[] {
    if (rate === Infinity) return [...this.#waiting];
    const oldest = Math.min(...this.#readers);
    return this.#waiting.filter(({ ticket }) => ticket === oldest);
  }
}
