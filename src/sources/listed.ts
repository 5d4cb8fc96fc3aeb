/**
 * The discovery of bounded input: the objects that the restored position is in, then the given URIs one after the other, each as
 * it is listed when the source gets there (`listedRoot.ts`).
 *
 * A page of a listing is requested when the page before it is used up, never earlier, and nothing else is remembered:
 * ten million objects take no more memory than ten. Therefore, an object that is added later, under a key before the
 * one being read, is not seen.
 *
 * If everything was read before this attempt, it looks for objects added since, and reports them (`laterObjects.ts`).
 */
import { Subscription, type Observable } from 'rxjs';
import type { Json } from '../flow/index.js';
import { hideUserInfo } from '../path/index.js';
import { compareKeys } from '../store/helpers.js';
import type { Discovery, DiscoveryOptions, FileObject } from './discovery.js';
import { reportLater } from './laterObjects.js';
import { listedPosition, listedPositionOf, type ListedPosition } from './listedPosition.js';
import { ListedRoot } from './listedRoot.js';
import { badPosition } from './position.js';
import { resumedObjects, type ResumedObject } from './resumedObjects.js';
import { skipsVanished } from './vanished.js';

/** Finds listed objects. */
export const listed = (options: DiscoveryOptions): Discovery => new Listed(options);

class Listed implements Discovery {
  readonly #options: DiscoveryOptions;
  readonly #from: ListedPosition;
  #position: ListedPosition;
  readonly #requests = new Subscription();
  /** Objects of the restored position that are not found again yet. */
  readonly #resuming: ResumedObject[];
  #root: ListedRoot | undefined;
  #next: number;
  /** The last object of the last URI that was found. */
  #last: string;
  /** Whether to look for objects added since everything was read. */
  #looks: boolean;
  #answer: ((object: FileObject | undefined) => void) | undefined;
  /** A description of the pending request. */
  #asked: string | undefined;
  #advancing = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    const { id, uris, restored } = options;
    const plain = uris.map(hideUserInfo);
    const [uri] = plain;
    this.#from =
      restored === undefined
        ? { root: 0, ...(uri === undefined ? {} : { uri }) }
        : listedPositionOf(id, restored.discovery, plain);
    this.#resuming = [...resumedObjects(options, this.#from.root)];
    for (const resumed of this.#resuming) this.#checkBefore(resumed);
    this.#position = this.#from;
    this.#next = this.#from.root;
    this.#looks = this.#from.last !== undefined;
    this.#last = this.#from.last ?? (this.#isLast(this.#from.root) ? this.#from.after : undefined) ?? '';
    if (this.#resuming.length > 0) this.#root = this.#openRoot();
  }

  position(): Json {
    return listedPosition(this.#position);
  }

  opened(object: FileObject | undefined): void {
    // An object of the restored position was opened before.
    if (object?.restored !== undefined) return;
    const { uris } = this.#options;
    this.#position =
      object === undefined
        ? { root: uris.length, last: this.#last }
        : { root: object.root, uri: hideUserInfo(uris[object.root] ?? ''), after: object.key };
  }

  lost(_object: FileObject, error: unknown): boolean {
    return skipsVanished(this.#options, error);
  }

  next(answer: (object: FileObject | undefined) => void): void {
    this.#answer = answer;
    this.#advance();
  }

  get waitsFor(): string | undefined {
    return this.#asked;
  }

  ahead(): Iterable<Pick<FileObject, 'size' | 'modified'>> {
    return this.#root?.ahead() ?? [];
  }

  get complete(): boolean {
    const listed = this.#next >= this.#options.uris.length && (this.#root?.over ?? true);
    return listed && this.#resuming.length === 0;
  }

  close(): void {
    this.#answer = undefined;
    this.#requests.unsubscribe();
  }

  #isLast(root: number): boolean {
    return root === this.#options.uris.length - 1;
  }

  /**
   * Continues until `next` is answered or a request is pending. A loop, not a recursion, because stores may answer
   * synchronously.
   */
  #advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    try {
      while (this.#answer !== undefined && this.#asked === undefined) {
        const [resumed] = this.#resuming;
        if (resumed !== undefined) {
          this.#resume(resumed);
          continue;
        }
        if (this.#looks) {
          this.#look(this.#last);
          continue;
        }
        this.#root ??= this.#openRoot();
        if (this.#root === undefined) this.#give(undefined);
        else {
          const object = this.#root.take();
          if (object !== undefined) this.#found(object);
          else this.#list(this.#root);
        }
      }
    } catch (error) {
      this.#answer = undefined;
      this.#options.fail(error);
    } finally {
      this.#advancing = false;
    }
  }

  /** Errors: `BadPosition` (a listing that continues after the position would find the object again). */
  #checkBefore({ uri, position: { root, key } }: ResumedObject): void {
    const { root: end, after, last } = this.#from;
    const { id } = this.#options;
    if (last !== undefined) throw badPosition(id, `is both in ${uri} and at the end of its input`);
    const before =
      after !== undefined &&
      (root === undefined ? key === after : root < end || (root === end && compareKeys(key, after) <= 0));
    if (!before) throw badPosition(id, `is in ${uri}, but continues before it`);
  }

  #found(object: FileObject): void {
    this.#last = this.#isLast(this.#next - 1) ? object.key : '';
    this.#give(object);
  }

  #give(object: FileObject | undefined): void {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(object);
  }

  #openRoot(): ListedRoot | undefined {
    const index = this.#next++;
    const uri = this.#options.uris[index];
    if (uri === undefined) return undefined;
    const after = index === this.#from.root ? this.#from.after : undefined;
    return new ListedRoot(index, uri, after, this.#options);
  }

  #resume({ position, asksFor, request }: ResumedObject): void {
    this.#ask(
      asksFor,
      request,
      (object) => {
        this.#resuming.shift();
        this.#give(object);
      },
      (error) => {
        if (!skipsVanished(this.#options, error)) return false;
        this.#resuming.shift();
        this.#options.givenUp(position);
        return true;
      },
    );
  }

  #list(root: ListedRoot): void {
    const request = root.request();
    if (request === undefined) {
      root.checkMatched();
      this.#root = undefined;
      return;
    }
    this.#ask(root.asksFor, request, () => undefined);
  }

  /** @param tolerates whether the discovery continues after an error */
  #ask<R>(
    asked: string,
    request: Observable<R>,
    answered: (answer: R) => void,
    tolerates: (error: unknown) => boolean = () => false,
  ): void {
    this.#asked = asked;
    this.#requests.add(
      request.subscribe({
        next: (answer) => {
          this.#asked = undefined;
          answered(answer);
          this.#advance();
        },
        error: (error: unknown) => {
          if (tolerates(error)) {
            this.#asked = undefined;
            this.#advance();
            return;
          }
          this.#answer = undefined;
          this.#options.fail(error);
        },
      }),
    );
  }

  #look(last: string): void {
    this.#asked = `the listing of ${hideUserInfo(this.#options.uris.at(-1) ?? '')}`;
    this.#looks = false;
    this.#requests.add(
      reportLater(this.#options, last).subscribe({
        complete: () => {
          this.#asked = undefined;
          this.#advance();
        },
      }),
    );
  }
}
