/**
 * The expected output, computed only from the generated files. Does not import millrace, and takes a few dozen
 * megabytes for two million events: per event the number of its user and day, per user and day a count.
 */
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { lines } from './objects.js';

export class Truth {
  events = 0;
  clicks = 0;
  /** The largest id of a click. */
  lastId = 0;
  readonly #pairs = new Map<string, number>();
  readonly names: string[] = [];
  /** Clicks by pair of user and day. */
  readonly counts: number[] = [];
  /** The pair that an event counts for, plus 1; 0 if it is not a click. */
  #pairOf = new Uint32Array(1 << 16);

  add(event: {
    readonly id: number;
    readonly user: string;
    readonly at: string;
    readonly kind: string;
  }): void {
    this.events++;
    if (event.kind !== 'click') return;
    this.clicks++;
    this.lastId = Math.max(this.lastId, event.id);
    const name = `${event.user} ${event.at.slice(0, 10)}`;
    let pair = this.#pairs.get(name);
    if (pair === undefined) {
      pair = this.names.push(name) - 1;
      this.#pairs.set(name, pair);
      this.counts.push(0);
    }
    this.counts[pair] = (this.counts[pair] ?? 0) + 1;
    if (event.id >= this.#pairOf.length) {
      const larger = new Uint32Array(Math.max(event.id + 1, this.#pairOf.length * 2));
      larger.set(this.#pairOf);
      this.#pairOf = larger;
    }
    if (this.#pairOf[event.id] !== 0) throw new Error(`The input has event ${event.id.toString()} twice.`);
    this.#pairOf[event.id] = pair + 1;
  }

  /** The pair that click `id` counts for; -1 if it is not a click of the input. */
  pairOf(id: number): number {
    return (this.#pairOf[id] ?? 0) - 1;
  }
}

/** Reads the generated files, decompressing those named `.gz`. */
export async function truthOf(files: readonly string[]): Promise<Truth> {
  const truth = new Truth();
  for (const file of files) {
    const stored = createReadStream(file, { highWaterMark: 1 << 18 });
    const input = file.endsWith('.gz') ? stored.pipe(createGunzip()) : stored;
    for await (const block of lines(input as AsyncIterable<Buffer>, file)) {
      for (const line of block) truth.add(JSON.parse(line) as Parameters<Truth['add']>[0]);
    }
  }
  return truth;
}
