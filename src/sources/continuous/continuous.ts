/**
 * The discovery of input that never ends: looks at the objects that the restored position is in, one after the other, then lists the
 * given URIs again and again, and finds what is new (`readVersions.ts`).
 *
 * 1. A **round** lists the URIs one after the other, a page at a time. The new objects of a page are taken when it arrives. The next
 *    page is requested when all of them are handed out, so that memory does not depend on the number of objects. One request at a time: a round
 *    costs one LIST for every 1,000 objects below each URI, and a HEAD for a URI that may name an object itself.
 * 2. The listing of the next URI begins when everything that was found is opened. The next round begins `every` after the
 *    start of the last one, or when that is over, if it takes longer.
 * 3. Between two pages, or two rounds, one hint is looked at: a HEAD for each URI that covers it. Hints beyond a bound are
 *    dropped, since listings find everything.
 * 4. An object that changes or vanishes before it is read to its end is looked at again, with a HEAD, and read in its new
 *    version; or fails the source, as the options say.
 * 5. A request that fails with a retryable error is reported and repeated, later and later, without end. A hint is
 *    dropped instead. Other errors fail the source.
 */
import { Subscription, type Observable } from 'rxjs';
import { isRetryable } from '../../errors.js';
import { backoffDelay, halfJitter, type Backoff } from '../../flow/backoff.js';
import { monotonic, type Json, type MemoryCharge } from '../../flow/index.js';
import { hideUserInfo } from '../../path/index.js';
import { isStoreError } from '../../store/errors.js';
import type { Discover, Discovery, DiscoveryLag, DiscoveryOptions, FileObject } from '../discovery.js';
import { HorizonFull, ObjectChanged, ObjectVanished } from '../errors.js';
import type { DiscoveryFailedEvent, InputSkippedEvent } from '../events.js';
import { Fifo } from '../fifo.js';
import { ListedRoot } from '../listedRoot.js';
import { resumedObjects, type ResumedObject } from '../resumedObjects.js';
import { Hints, type Look } from './hints.js';
import { continuousPosition, continuousPositionOf } from './position.js';
import { ReadVersions, type Changed } from './readVersions.js';

export interface ContinuousSettings {
  /** Milliseconds from the start of a round to that of the next one. */
  readonly every: number;
  readonly hints: Observable<string> | undefined;
  readonly changed: Changed;
  readonly vanished: 'fail' | 'skip';
  /** Milliseconds. */
  readonly longestUpload: number;
  /** The maximum number of versions within the horizons. */
  readonly most: number;
}

/** Finds objects for as long as the job runs. */
export const continuous =
  (settings: ContinuousSettings): Discover =>
  (options) =>
    new Continuous(settings, options);

const retries: Backoff = { first: 1000, max: 60_000, spread: halfJitter };

/** Approximate bytes of a version in memory. */
const versionBytes = 200;

interface Root {
  readonly uri: string;
  readonly versions: ReadVersions;
  /** Looks at single objects. */
  readonly single: ListedRoot;
}

class Continuous implements Discovery {
  readonly #settings: ContinuousSettings;
  readonly #options: DiscoveryOptions;
  readonly #roots: readonly Root[];
  readonly #hints: Hints;
  readonly #charge: MemoryCharge;
  readonly #held = new Subscription();
  /** The objects that the restored position is in, until they are found again. */
  readonly #resuming: ResumedObject[];
  /** The URI of the object that was opened last. */
  #reading = 0;
  /** The URI that is being listed, or comes next. */
  #at: number;
  #listing: ListedRoot | undefined;
  /** New objects of the last page. */
  readonly #found = new Fifo<FileObject>();
  /** Whether a round is due or in progress. */
  #round = true;
  #began: number | undefined;
  /** Whether the round was begun by an earlier run, which has listed a part of it. */
  #continued: boolean;
  /** When the last complete listing began; before the first one, when the attempt did. By the monotonic clock. */
  #knownSince: number;
  /** Whether there was a complete listing in this attempt. */
  #complete = false;
  /** The server's time when the monotonic clock was 0. */
  #serverZero: number | undefined;
  /** Whether the listing is over, and waits for what it has found to be opened. */
  #ending = false;
  /** Objects to look at next. */
  readonly #looks: (Look & { /** It was to be read, and has changed. */ readonly lost?: true })[] = [];
  /** Whether a hint was looked at after the last page. */
  #hinted = false;
  #answer: ((object: FileObject | undefined) => void) | undefined;
  /** A description of the pending request, also while it waits to be repeated. */
  #asked: string | undefined;
  #failures = 0;
  #advancing = false;

  constructor(settings: ContinuousSettings, options: DiscoveryOptions) {
    this.#settings = settings;
    this.#options = options;
    const { id, uris, restored } = options;
    const plain = uris.map(hideUserInfo);
    const position = restored === undefined ? undefined : continuousPositionOf(id, restored.discovery, plain);
    this.#roots = uris.map((uri, index) => ({
      uri,
      versions: new ReadVersions(settings, position?.roots[index]),
      single: new ListedRoot(index, uri, undefined, options),
    }));
    this.#reading = position?.reading ?? 0;
    this.#resuming = [...resumedObjects(options, this.#reading)];
    this.#at = Math.max(
      0,
      this.#roots.findIndex(({ versions }) => versions.inRound),
    );
    this.#continued = this.#roots.some(({ versions }) => versions.inRound);
    this.#knownSince = monotonic(options.clock);
    this.#charge = options.charge();
    this.#held.add(() => this.#charge.leave());
    this.#count();
    this.#hints = new Hints(this.#roots.map(({ single }) => single));
    if (settings.hints !== undefined)
      this.#hints.open(
        settings.hints,
        () => this.#advance(),
        (error) => this.#reportHints(error),
      );
  }

  position(): Json {
    return continuousPosition({
      roots: this.#roots.map(({ uri, versions }) => ({ uri: hideUserInfo(uri), ...versions.state() })),
      reading: this.#reading,
    });
  }

  opened(object: FileObject | undefined): void {
    // An object of the restored position was opened before.
    if (object === undefined || object.restored !== undefined) return;
    this.#reading = object.root;
    this.#roots[object.root]?.versions.opened(object);
    this.#count();
    this.#advance();
  }

  lost(object: FileObject, error: unknown, unread: boolean): boolean {
    this.#roots[object.root]?.versions.lost(object, unread);
    const tolerated = this.#tolerates(object, unread, error);
    this.#advance();
    return tolerated;
  }

  next(answer: (object: FileObject | undefined) => void): void {
    this.#answer = answer;
    this.#advance();
  }

  get waitsFor(): string | undefined {
    return this.#asked;
  }

  ahead(): Iterable<Pick<FileObject, 'size' | 'modified'>> {
    return this.#found;
  }

  get complete(): boolean {
    return this.#complete;
  }

  lag(): DiscoveryLag {
    const { clock } = this.#options;
    const now = monotonic(clock);
    return {
      serverTime: this.#serverZero === undefined ? clock.now() : this.#serverZero + now,
      listingMs: now - this.#knownSince,
    };
  }

  close(): void {
    this.#answer = undefined;
    this.#hints.close();
    this.#held.unsubscribe();
  }

  /** A loop, not a recursion, because stores may answer synchronously. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (this.#answer !== undefined && this.#asked === undefined && this.#step());
    } catch (error) {
      this.#answer = undefined;
      this.#options.fail(error);
    } finally {
      this.#advancing = false;
    }
  }

  /** One step of those in the head comment. Returns whether there may be more to do immediately. */
  #step(): boolean {
    const [resumed] = this.#resuming;
    if (resumed !== undefined) {
      this.#resume(resumed);
      return true;
    }
    const root = this.#roots[this.#at];
    if (root === undefined) return false;
    if (this.#ending) {
      if (root.versions.inRound) return false;
      this.#nextRoot();
      return true;
    }
    const look = this.#nextLook();
    if (look !== undefined) {
      this.#look(look);
      return true;
    }
    if (!this.#round) return false;
    this.#listing ??= this.#beginListing(root);
    const found = this.#found.shift();
    if (found !== undefined) {
      this.#give(found);
      return true;
    }
    const request = this.#listing.request();
    if (request === undefined) this.#endListing(root);
    else this.#list(root, this.#listing, request);
    return true;
  }

  #give(object: FileObject): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(object);
  }

  #nextLook(): (Look & { readonly lost?: true }) | undefined {
    const look = this.#looks.shift();
    if (look !== undefined || (this.#hinted && this.#round)) return look;
    const [first, ...rest] = this.#hints.take();
    this.#looks.push(...rest);
    return first;
  }

  #beginListing({ uri, versions }: Root): ListedRoot {
    if (this.#at === 0 || this.#began === undefined) this.#began = monotonic(this.#options.clock);
    return new ListedRoot(this.#at, uri, versions.after, this.#options);
  }

  #list(root: Root, listing: ListedRoot, request: Observable<void>): void {
    this.#hinted = false;
    const asked = listing.asksFor;
    const lists = listing.lists();
    this.#ask(
      asked,
      request,
      () => {
        if (lists) this.#begin(root, listing.date);
        for (let found = listing.take(); found !== undefined; found = listing.take())
          if (root.versions.take(found, 'listed')) this.#found.push(found);
      },
      (error) => this.#retry(error, asked),
    );
  }

  #begin({ versions }: Root, date: number | undefined): void {
    versions.begin(date);
    if (date !== undefined) this.#serverZero = date - monotonic(this.#options.clock);
  }

  #endListing({ versions }: Root): void {
    this.#listing = undefined;
    this.#ending = true;
    // For a URI that names an object: nothing was listed.
    versions.begin(undefined);
    versions.listed();
    if (this.#at === this.#roots.length - 1) this.#endRound();
  }

  /** Everything that existed when the round began is found. */
  #endRound(): void {
    if (!this.#continued) {
      this.#complete = true;
      this.#knownSince = this.#began ?? this.#knownSince;
    }
    this.#continued = false;
    this.#options.progressed();
  }

  /** Continues with the next URI, or waits for the next round. */
  #nextRoot(): void {
    this.#ending = false;
    this.#count();
    this.#at++;
    if (this.#at < this.#roots.length) return;
    this.#at = 0;
    this.#round = false;
    const passed = monotonic(this.#options.clock) - (this.#began ?? 0);
    this.#began = undefined;
    this.#after(Math.max(0, this.#settings.every - passed), () => {
      this.#round = true;
      this.#advance();
    });
  }

  #resume({ position, root, asksFor, request }: ResumedObject): void {
    this.#ask(
      asksFor,
      request,
      (found) => {
        this.#resuming.shift();
        this.#give(found);
      },
      (error) => {
        const { key, etag, offset } = position;
        const unread = offset === 0;
        if (!this.#tolerates({ root, key }, unread, error)) {
          this.#retry(error, asksFor);
          return;
        }
        this.#resuming.shift();
        this.#roots[root]?.versions.lost({ key, etag }, unread);
        this.#options.givenUp(position);
      },
    );
  }

  #look({ root, key, lost = false }: Look & { readonly lost?: boolean }): void {
    this.#hinted = true;
    const { single, versions } = this.#roots[root] as Root;
    this.#ask(
      `an answer about ${single.uriOf(key)}`,
      single.find(key),
      (found) => {
        if (versions.take(found, 'hinted')) this.#give(found);
      },
      (error) => {
        // The next listing finds the object, if there is one.
        if (!isStoreError(error, 'NotFound')) this.#reportFailure(error);
        else if (lost) {
          const vanished = new ObjectVanished(single.uriOf(key), error);
          if (!this.#tolerates({ root, key }, false, vanished)) throw vanished;
        }
      },
    );
  }

  /** Sends a request. One at a time. */
  #ask<T>(
    asked: string,
    request: Observable<T>,
    answered: (answer: T) => void,
    failed: (error: unknown) => void,
  ): void {
    this.#asked = asked;
    const continues = (work: () => void): void => {
      this.#asked = undefined;
      try {
        work();
      } catch (error) {
        this.#answer = undefined;
        this.#options.fail(error);
      }
      this.#advance();
    };
    const sent = new Subscription();
    this.#held.add(sent);
    sent.add(
      request.subscribe({
        next: (answer) => {
          this.#held.remove(sent);
          continues(() => {
            this.#failures = 0;
            answered(answer);
          });
        },
        error: (error: unknown) => {
          this.#held.remove(sent);
          continues(() => failed(error));
        },
      }),
    );
  }

  /** Repeats the request after a while, or throws its error. */
  #retry(error: unknown, asked: string): void {
    if (!isRetryable(error)) throw error;
    const delay = Math.round(backoffDelay(retries, ++this.#failures, this.#options.random()));
    this.#reportFailure(error, delay);
    this.#asked = asked;
    this.#after(delay, () => {
      this.#asked = undefined;
      this.#advance();
    });
  }

  /** Nothing is held of it once its time has come. */
  #after(delay: number, work: () => void): void {
    const alarm = new Subscription();
    this.#held.add(alarm);
    alarm.add(
      this.#options.clock.after(delay, () => {
        alarm.unsubscribe();
        work();
      }),
    );
  }

  /** Whether the source continues without a version that is gone. `unread`: nothing of it was read. */
  #tolerates({ root, key }: Look, unread: boolean, error: unknown): boolean {
    const { changed, vanished } = this.#settings;
    if (error instanceof ObjectChanged && (unread || changed === 'read')) {
      this.#looks.push({ root, key, lost: true });
      return true;
    }
    if (!(error instanceof ObjectVanished) || vanished !== 'skip') return false;
    this.#options.report({
      type: 'input-skipped',
      operator: this.#options.id,
      object: error.object,
      reason: 'It was deleted before it was read to its end.',
    } satisfies InputSkippedEvent);
    return true;
  }

  #reportFailure(error: unknown, delayMs?: number): void {
    const { id, report, progressed } = this.#options;
    const then = delayMs === undefined ? 'the next listing will find what is new' : `again in ${delayMs} ms`;
    report({
      type: 'discovery-failed',
      operator: id,
      error,
      ...(delayMs === undefined ? {} : { delayMs }),
      message: `Source '${id}' could not look for new objects: ${then}.`,
    } satisfies DiscoveryFailedEvent);
    progressed();
  }

  #reportHints(error: unknown): void {
    const { id, report } = this.#options;
    report({
      type: 'discovery-failed',
      operator: id,
      error,
      message: `The hints of source '${id}' failed: new objects are found by listings only.`,
    } satisfies DiscoveryFailedEvent);
  }

  #count(): void {
    const seen = this.#roots.reduce((sum, { versions }) => sum + versions.seen, 0);
    this.#charge.set(seen * versionBytes);
    const { most, longestUpload } = this.#settings;
    if (seen > most) throw new HorizonFull(this.#options.id, most, longestUpload);
  }
}
