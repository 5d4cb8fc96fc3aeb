/**
 * Chooses where to kill the job: while a request of the commit protocol is in flight. This file classifies requests
 * by method and URL, and selects the next target.
 *
 * A target is a kind of request and a moment: *before* it took effect (for a part: with half of its body sent), or
 * *after* it did, with the answer still on its way. Targets are chosen evenly: the first request of the kinds with
 * the fewest kills, alternating between the two moments.
 */

/** The kinds of requests that can be targets. */
export const kinds = ['part', 'journal', 'manifest', 'complete'] as const;
export type Kind = (typeof kinds)[number];
export type Moment = 'before' | 'after';

export const kindNames: Readonly<Record<Kind, string>> = {
  part: 'part upload',
  journal: 'journal PUT',
  manifest: 'manifest PUT',
  complete: 'durable, not yet complete',
};

/** Key prefixes of the job's data in the bucket, each ending in a slash. */
export interface Layout {
  readonly bucket: string;
  readonly input: string;
  readonly output: string;
  readonly checkpoints: string;
}

export type RequestKind = Kind | 'input' | 'other';

/** Classifies a path-style S3 request. */
export function classify(layout: Layout, method: string, url: string): RequestKind {
  const { pathname, searchParams } = new URL(url, 'http://store');
  const bucket = `/${layout.bucket}/`;
  if (!pathname.startsWith(bucket)) return 'other';
  const key = decodeURIComponent(pathname.slice(bucket.length));
  if (key.startsWith(layout.output)) {
    if (!searchParams.has('uploadId')) return 'other';
    if (method === 'PUT' && searchParams.has('partNumber')) return 'part';
    return method === 'POST' ? 'complete' : 'other';
  }
  if (key.startsWith(layout.checkpoints)) {
    if (method !== 'PUT' || searchParams.has('uploadId')) return 'other';
    const name = key.slice(layout.checkpoints.length);
    if (/^[^/]+\/log\/\d{20}$/.test(name)) return 'manifest';
    return /^[^/]+\/data\/\d{10}\/[^/]*journal/.test(name) ? 'journal' : 'other';
  }
  return method === 'GET' && key.length > layout.input.length && key.startsWith(layout.input)
    ? 'input'
    : 'other';
}

/** Kills per target. */
export type Tally = Readonly<Record<Kind, Readonly<Record<Moment, number>>>>;

/**
 * Selects targets. It is armed once the job has made new durable progress since the last kill, and disarmed by a
 * kill. A kind that does not occur while others do (such as journals on servers where files roll at every checkpoint)
 * does not block the demo: after `patience` further checkpoints it is skipped until it is seen again.
 */
export class Aim {
  readonly #struck: Record<Kind, Record<Moment, number>>;
  readonly #absent = new Set<Kind>();
  #wanted: readonly Kind[] = [];
  #checkpoints = 0;

  constructor(readonly patience = 5) {
    const none = (): Record<Moment, number> => ({ before: 0, after: 0 });
    this.#struck = { part: none(), journal: none(), manifest: none(), complete: none() };
  }

  get tally(): Tally {
    return this.#struck;
  }

  get armed(): boolean {
    return this.#wanted.length > 0;
  }

  /** The job has made durable progress. Arms, or counts against {@link patience}. */
  progressed(): void {
    if (this.armed && ++this.#checkpoints < this.patience) return;
    for (const kind of this.#wanted) this.#absent.add(kind);
    if (this.#absent.size === kinds.length) this.#absent.clear();
    const present = kinds.filter((kind) => !this.#absent.has(kind));
    const least = Math.min(...present.map((kind) => this.#total(kind)));
    this.#wanted = present.filter((kind) => this.#total(kind) === least);
    this.#checkpoints = 0;
  }

  /** A request starts. Returns the moment of the kill if it is a target. */
  consider(kind: RequestKind): Moment | undefined {
    this.#absent.delete(kind as Kind);
    const target = this.#wanted.find((wanted) => wanted === kind);
    return target && (this.#total(target) % 2 === 0 ? 'before' : 'after');
  }

  /** The kill counts. */
  strike(kind: Kind, moment: Moment): void {
    this.#struck[kind][moment]++;
    this.#wanted = [];
  }

  #total(kind: Kind): number {
    return this.#struck[kind].before + this.#struck[kind].after;
  }
}
