import type { Observable } from 'rxjs';
import { monotonic } from '../../flow/index.js';
import type { DiscoveryLag, DiscoveryOptions, FileObject } from '../discovery.js';
import { Fifo } from '../fifo.js';
import { ListedRoot } from '../listedRoot.js';
import type { ReadVersions } from './readVersions.js';
import type { Requests } from './requests.js';
import type { SkippedOnce } from './skippedOnce.js';

/** A URI of the source. */
export interface Root {
  readonly uri: string;
  readonly versions: ReadVersions;
  /** Looks at single objects. */
  readonly single: ListedRoot;
  /** What the listings of this attempt have skipped. */
  readonly skipped: SkippedOnce;
}

export interface RoundsOptions {
  readonly roots: readonly Root[];
  readonly discovery: DiscoveryOptions;
  /** Milliseconds from the start of a round to that of the next one. */
  readonly every: number;
  readonly requests: Requests;
  /** All that was found at a URI is opened. */
  readonly ended: () => void;
}

/** The listings of the URIs, round after round: steps 1 and 2 of `continuous.ts`. */
export class Rounds {
  readonly #options: RoundsOptions;
  /** The URI that is being listed, or comes next. */
  #at: number;
  #listing: ListedRoot | undefined;
  /** New objects of the last page. */
  readonly #found = new Fifo<FileObject>();
  /** Whether a round is due or in progress. */
  #due = true;
  #began: number | undefined;
  /** Whether the round was begun by an earlier run, which has listed a part of it. */
  #continued: boolean;
  /** When the last complete listing began; before the first one, when the attempt did. By the monotonic clock. */
  #knownSince: number;
  #complete = false;
  /** The server's time when the monotonic clock was 0. */
  #serverZero: number | undefined;
  #ending = false;
  #pages = 0;

  constructor(options: RoundsOptions) {
    const { roots, discovery } = options;
    this.#options = options;
    const begun = roots.findIndex(({ versions }) => versions.inRound);
    this.#at = Math.max(0, begun);
    this.#continued = begun >= 0;
    this.#knownSince = monotonic(discovery.clock);
  }

  get due(): boolean {
    return this.#due;
  }

  /** Whether a listing is over, and waits for what it has found to be opened: `end` comes next. */
  get ending(): boolean {
    return this.#ending;
  }

  /** Whether there was a complete listing in this attempt. */
  get complete(): boolean {
    return this.#complete;
  }

  /** The number of pages that were requested. */
  get pages(): number {
    return this.#pages;
  }

  get found(): Iterable<FileObject> {
    return this.#found;
  }

  get lag(): DiscoveryLag {
    const { clock } = this.#options.discovery;
    const now = monotonic(clock);
    return {
      serverTime: this.#serverZero === undefined ? clock.now() : this.#serverZero + now,
      listingMs: now - this.#knownSince,
    };
  }

  /** Returns whether there may be more to do immediately. */
  step(give: (object: FileObject) => void): boolean {
    const root = this.#options.roots[this.#at];
    if (root === undefined || !this.#due) return false;
    this.#listing ??= this.#beginListing(root);
    const found = this.#found.shift();
    if (found !== undefined) {
      give(found);
      return true;
    }
    const request = this.#listing.request();
    if (request === undefined) this.#endListing(root);
    else this.#list(root, this.#listing, request);
    return true;
  }

  /** Continues with the next URI, if all that was found is opened, or waits for the next round. Returns as `step`. */
  end(): boolean {
    const { roots, ended, discovery, every, requests } = this.#options;
    if (roots[this.#at]?.versions.inRound === true) return false;
    this.#ending = false;
    ended();
    this.#at++;
    if (this.#at < roots.length) return true;
    this.#at = 0;
    this.#due = false;
    const passed = monotonic(discovery.clock) - (this.#began ?? 0);
    this.#began = undefined;
    requests.after(Math.max(0, every - passed), () => {
      this.#due = true;
    });
    return true;
  }

  #beginListing({ uri, versions, skipped }: Root): ListedRoot {
    const { discovery } = this.#options;
    if (this.#at === 0 || this.#began === undefined) this.#began = monotonic(discovery.clock);
    skipped.begin();
    return new ListedRoot(this.#at, uri, versions.after, { ...discovery, report: skipped.report });
  }

  #list(root: Root, listing: ListedRoot, request: Observable<void>): void {
    const { requests } = this.#options;
    this.#pages++;
    const asked = listing.asksFor;
    const lists = listing.lists();
    requests.ask(
      asked,
      request,
      () => {
        if (lists) this.#begin(root, listing.date);
        for (let found = listing.take(); found !== undefined; found = listing.take())
          if (root.versions.take(found, 'listed')) this.#found.push(found);
      },
      (error) => requests.retry(error, asked),
    );
  }

  #begin({ versions }: Root, date: number | undefined): void {
    versions.begin(date);
    if (date !== undefined) this.#serverZero = date - monotonic(this.#options.discovery.clock);
  }

  #endListing({ versions }: Root): void {
    this.#listing = undefined;
    this.#ending = true;
    // For a URI that names an object: nothing was listed.
    versions.begin(undefined);
    versions.listed();
    if (this.#at === this.#options.roots.length - 1) this.#endRound();
  }

  /** Everything that existed when the round began is found. */
  #endRound(): void {
    if (!this.#continued) {
      this.#complete = true;
      this.#knownSince = this.#began ?? this.#knownSince;
    }
    this.#continued = false;
    this.#options.discovery.progressed();
  }
}
