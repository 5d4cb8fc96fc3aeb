/**
 * The discovery of input that never ends: looks at the objects that the restored position is in, one after the other, then lists the
 * given URIs again and again, and finds what is new (`readVersions.ts`).
 *
 * 1. A **round** (`rounds.ts`) lists the URIs one after the other, a page at a time. The new objects of a page are taken when it
 *    arrives. The next page is requested when all of them are handed out, so that memory does not depend on the number of objects.
 *    One request at a time: a round costs one LIST for every 1,000 objects below each URI, and a HEAD for a URI that may name an
 *    object itself.
 * 2. The listing of the next URI begins when everything that was found is opened. The next round begins `every` after the
 *    start of the last one, or when that is over, if it takes longer.
 * 3. Between two pages, or two rounds, one hint is looked at: a HEAD for each URI that covers it. Hints beyond a bound are
 *    dropped, since listings find everything.
 * 4. An object that changes or vanishes before it is read to its end is looked at again, with a HEAD, and read in its new
 *    version; or fails the source, as the options say.
 * 5. A request that fails with a retryable error is reported and repeated, later and later, without end (`requests.ts`). A hint is
 *    dropped instead. Other errors fail the source.
 */
import type { Observable } from 'rxjs';
import type { Json, MemoryCharge } from '../../flow/index.js';
import { hideUserInfo } from '../../path/index.js';
import { isStoreError } from '../../store/errors.js';
import type { Discover, Discovery, DiscoveryLag, DiscoveryOptions, FileObject } from '../discovery.js';
import { HorizonFull, ObjectChanged, ObjectVanished } from '../errors.js';
import type { DiscoveryFailedEvent, InputChangedEvent } from '../events.js';
import { isUnread } from '../filesPosition.js';
import { ListedRoot } from '../listedRoot.js';
import { resumedObjects, type ResumedObject } from '../resumedObjects.js';
import { skipsVanished } from '../vanished.js';
import { Hints, type Look } from './hints.js';
import { continuousPosition, continuousPositionOf } from './position.js';
import { ReadVersions, type Changed } from './readVersions.js';
import { Requests } from './requests.js';
import { Rounds, type Root } from './rounds.js';
import { SkippedOnce } from './skippedOnce.js';

export interface ContinuousSettings {
  /** Milliseconds from the start of a round to that of the next one. */
  readonly every: number;
  readonly hints: Observable<string> | undefined;
  readonly changed: Changed;
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

/** Approximate bytes of a version in memory. */
const versionBytes = 200;

class Continuous implements Discovery {
  readonly #settings: ContinuousSettings;
  readonly #options: DiscoveryOptions;
  readonly #roots: readonly Root[];
  readonly #requests: Requests;
  readonly #rounds: Rounds;
  readonly #hints: Hints;
  readonly #charge: MemoryCharge;
  /** The objects that the restored position is in, until they are found again. */
  readonly #resuming: ResumedObject[];
  /** The URI of the object that was opened last. */
  #reading = 0;
  /** Objects to look at next. */
  readonly #looks: (Look & { /** It was to be read, and has changed. */ readonly lost?: true })[] = [];
  /** The number of pages that were requested before the last look. */
  #lookedAt: number | undefined;
  #answer: ((object: FileObject | undefined) => void) | undefined;
  #advancing = false;
  /** The number of objects that were changed after they were read. */
  #changed = 0;

  constructor(settings: ContinuousSettings, options: DiscoveryOptions) {
    this.#settings = settings;
    this.#options = options;
    const { id, uris, restored } = options;
    const plain = uris.map(hideUserInfo);
    const position = restored === undefined ? undefined : continuousPositionOf(id, restored.discovery, plain);
    this.#roots = uris.map((uri, index) => ({
      uri,
      versions: new ReadVersions(settings, position?.roots[index], ({ key }) =>
        this.#reportChanged(index, key),
      ),
      single: new ListedRoot(index, uri, undefined, options),
      skipped: new SkippedOnce(options.report),
    }));
    this.#reading = position?.reading ?? 0;
    this.#resuming = [...resumedObjects(options, this.#reading)];
    this.#requests = new Requests({
      ...options,
      advance: () => this.#advance(),
      fail: (error) => this.#fail(error),
    });
    this.#rounds = new Rounds({
      roots: this.#roots,
      discovery: options,
      every: settings.every,
      requests: this.#requests,
      ended: () => this.#count(),
    });
    this.#charge = options.charge();
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
    return this.#requests.asked;
  }

  ahead(): Iterable<Pick<FileObject, 'size' | 'modified'>> {
    return this.#rounds.found;
  }

  get complete(): boolean {
    return this.#rounds.complete;
  }

  lag(): DiscoveryLag {
    return this.#rounds.lag;
  }

  close(): void {
    this.#answer = undefined;
    this.#hints.close();
    this.#requests.close();
    this.#charge.leave();
  }

  /** A loop, not a recursion, because stores may answer synchronously. */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (this.#answer !== undefined && this.#requests.asked === undefined && this.#step());
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#advancing = false;
    }
  }

  #fail(error: unknown): void {
    this.#answer = undefined;
    this.#options.fail(error);
  }

  /** One step of those in the head comment. Returns whether there may be more to do immediately. */
  #step(): boolean {
    const [resumed] = this.#resuming;
    if (resumed !== undefined) {
      this.#resume(resumed);
      return true;
    }
    if (this.#rounds.ending) return this.#rounds.end();
    const look = this.#nextLook();
    if (look !== undefined) {
      this.#look(look);
      return true;
    }
    return this.#rounds.step((object) => this.#give(object));
  }

  #give(object: FileObject): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(object);
  }

  #nextLook(): (Look & { readonly lost?: true }) | undefined {
    const { pages, due } = this.#rounds;
    const look = this.#looks.shift();
    if (look !== undefined || (this.#lookedAt === pages && due)) return look;
    const [first, ...rest] = this.#hints.take();
    this.#looks.push(...rest);
    return first;
  }

  #resume({ position, root, asksFor, request }: ResumedObject): void {
    this.#requests.ask(
      asksFor,
      request,
      (found) => {
        this.#resuming.shift();
        this.#give(found);
      },
      (error) => {
        const { key, etag } = position;
        const unread = isUnread(position);
        if (!this.#tolerates({ root, key }, unread, error)) {
          this.#requests.retry(error, asksFor);
          return;
        }
        this.#resuming.shift();
        this.#roots[root]?.versions.lost({ key, etag }, unread);
        this.#options.givenUp(position);
      },
    );
  }

  #look({ root, key, lost = false }: Look & { readonly lost?: boolean }): void {
    this.#lookedAt = this.#rounds.pages;
    const { single, versions } = this.#roots[root] as Root;
    this.#requests.ask(
      `an answer about ${single.uriOf(key)}`,
      single.find(key),
      (found) => {
        if (versions.take(found, 'hinted')) this.#give(found);
      },
      (error) => {
        // The next listing finds the object, if there is one.
        if (!isStoreError(error, 'NotFound')) this.#requests.report(error);
        else if (lost) {
          const vanished = new ObjectVanished(single.uriOf(key), error);
          if (!this.#tolerates({ root, key }, false, vanished)) throw vanished;
        }
      },
    );
  }

  /** Whether the source continues without a version that is gone. `unread`: nothing of it was read. */
  #tolerates({ root, key }: Look, unread: boolean, error: unknown): boolean {
    if (error instanceof ObjectChanged && (unread || this.#settings.changed === 'read')) {
      this.#looks.push({ root, key, lost: true });
      return true;
    }
    return skipsVanished(this.#options, error);
  }

  #reportChanged(root: number, key: string): void {
    const { id, report } = this.#options;
    const object = this.#roots[root]?.single.uriOf(key) ?? key;
    report({
      type: 'input-changed',
      operator: id,
      object,
      count: ++this.#changed,
    } satisfies InputChangedEvent);
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
