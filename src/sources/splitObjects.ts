/**
 * Cuts large objects into splits (`splits.ts`), between the discovery of objects and the fetcher.
 *
 * 1. An object of more bytes than a split is looked at first: only if it is not compressed, it is cut. That costs a request of its first
 *    bytes. If that fails, the object is passed on whole, and its reader meets the same error at its turn.
 * 2. Its splits are handed out one by one, as the fetcher asks for objects, before any other object. A restored rest is cut in the same
 *    way, and is not looked at again. So is a restored object that is read in part, if it is the last of the position: a position
 *    then never has more than one rest.
 * 3. When the first split is opened, the discovery counts the object as opened. From then on, the position has its open splits, and the rest.
 *    When the last one is opened, there is no rest.
 */
import { Subscription } from 'rxjs';
import { checkText, codecOf } from '../formats/detect.js';
import { headBytes } from '../formats/recognise.js';
import type { Splitting } from '../formats/reader.js';
import type { Discovery, FileObject } from './discovery.js';
import { isRest, versionOf, type OpenPosition } from './filesPosition.js';
import { pinnedRange } from './pinnedRange.js';
import { fetchedEnd, fetchedStart, nextEnd, type SplitRange } from './splits.js';

export interface SplitObjectsOptions {
  readonly discovery: Pick<Discovery, 'next' | 'opened'>;
  /** The maximum bytes of a split. Default: objects are not cut, and a restored rest is one split. */
  readonly size: number | undefined;
  /** Of the format. */
  readonly splitting: Splitting | undefined;
  readonly format: { readonly name: string; readonly text?: boolean };
  /** Whether to detect compression; otherwise objects are not compressed. */
  readonly detects: boolean;
  /** The last object of the restored position. */
  readonly last: OpenPosition | undefined;
}

/** An object that is cut, from `next` on. */
interface Cut {
  readonly object: FileObject;
  next: number;
  /** The end of the split that was opened last. */
  opened: number;
  /** Whether a split of it is read to its end. */
  read: boolean;
}

export class SplitObjects {
  readonly #options: SplitObjectsOptions;
  /** Objects and splits that were handed out and are not read to their end. */
  readonly #given = new Map<FileObject, Cut | undefined>();
  /** The object that is handed out in splits. */
  #cutting: Cut | undefined;
  /** The object of which splits are opened. */
  #opening: Cut | undefined;
  #looking: FileObject | undefined;
  readonly #request = new Subscription();

  constructor(options: SplitObjectsOptions) {
    this.#options = options;
  }

  /** Requests the next object or split, as `Discovery.next`. */
  next(answer: (object: FileObject | undefined) => void): void {
    const give = (object: FileObject | undefined, cut?: Cut): void => {
      if (object !== undefined) this.#given.set(object, cut);
      answer(object);
    };
    if (this.#cutting !== undefined) give(...this.#cut(this.#cutting));
    else this.#options.discovery.next((object) => this.#found(object, give));
  }

  /** The reader begins with an object or split. */
  opened(object: FileObject): void {
    const cut = this.#given.get(object);
    if (cut !== undefined && object.split !== undefined) {
      cut.opened = object.split.end;
      this.#opening = cut.opened < cut.object.size ? cut : undefined;
    }
    if ((object.split?.begin ?? 0) === 0) this.#options.discovery.opened(object);
  }

  /** The rest of the object of which some splits were opened, but not all. */
  get rest(): OpenPosition | undefined {
    if (this.#opening === undefined) return undefined;
    const { object, opened } = this.#opening;
    return { root: object.root, ...this.#at(object, opened), split: { begin: opened } };
  }

  /** What is found and not handed out. */
  get left(): { readonly object: FileObject; readonly bytes: number } | undefined {
    if (this.#looking !== undefined) return { object: this.#looking, bytes: this.#looking.size };
    const { object, next } = this.#cutting ?? {};
    return object && { object, bytes: object.size - (next ?? 0) };
  }

  get waitsFor(): string | undefined {
    return this.#looking && `the first bytes of ${this.#looking.uri}`;
  }

  /** An object or split is read to its end. */
  finished(object: FileObject): void {
    const cut = this.#given.get(object);
    if (cut !== undefined) cut.read = true;
    this.#given.delete(object);
  }

  /** All parts of the same object that were handed out and are not read to their end. */
  partsOf(object: FileObject): readonly FileObject[] {
    if (object.split === undefined) return [object];
    const version = versionOf(object);
    return [...this.#given.keys()].filter((each) => versionOf(each) === version);
  }

  /** Whether no split of the same object was read to its end. */
  isWhole(object: FileObject): boolean {
    return this.#given.get(object)?.read !== true;
  }

  /** Some part of an object cannot be read: no more of it is handed out. */
  lost(object: FileObject): void {
    this.#given.delete(object);
    if (object.split === undefined) return;
    const version = versionOf(object);
    const isLost = (cut: Cut | undefined): boolean => cut !== undefined && versionOf(cut.object) === version;
    if (isLost(this.#cutting)) this.#cutting = undefined;
    if (isLost(this.#opening)) this.#opening = undefined;
  }

  close(): void {
    this.#request.unsubscribe();
  }

  #found(object: FileObject | undefined, give: (object: FileObject | undefined, cut?: Cut) => void): void {
    const { size = Infinity, splitting, last } = this.#options;
    const { restored, resume } = object ?? {};
    const split = restored?.split;
    if (object === undefined) give(object);
    else if (split?.end !== undefined)
      give(this.#part(object, { begin: split.begin, end: split.end }, restored?.offset ?? split.begin));
    else if (restored !== undefined && isRest(restored))
      give(...this.#cut(this.#begin(object, restored.offset)));
    else if (splitting === undefined || object.size - object.from <= size || resume?.compressed !== undefined)
      give(object);
    else if (restored !== undefined && restored !== last) give(object);
    else if (resume !== undefined) give(...this.#cut(this.#begin(object, 0)));
    else
      this.#look(object, (plain) => {
        if (plain) give(...this.#cut(this.#begin(object, 0)));
        else give(object);
      });
  }

  #begin(object: FileObject, next: number): Cut {
    return { object, next, opened: next, read: false };
  }

  /** The next split. */
  #cut(cut: Cut): [FileObject, Cut] {
    const { object, next: begin } = cut;
    const { size = Infinity } = this.#options;
    // Of a restored object, what is read already belongs to its first split.
    const offset = Math.max(begin, object.resume?.offset ?? 0);
    const end = nextEnd(offset, object.size, size);
    cut.next = end;
    this.#cutting = end < object.size ? cut : undefined;
    return [this.#part(object, { begin, end }, offset), cut];
  }

  #part(object: FileObject, range: SplitRange, offset: number): FileObject {
    const split = { ...range, before: this.#options.splitting?.before ?? 0 };
    const unread = range.begin === 0 ? undefined : this.#at(object, range.begin);
    return {
      ...object,
      from: fetchedStart(split, offset),
      end: fetchedEnd(range, object.size),
      resume: offset > range.begin ? object.resume : unread,
      split,
    };
  }

  #at({ key, etag }: FileObject, offset: number): Omit<OpenPosition, 'split'> {
    return { key, etag, offset, line: 0, format: this.#options.format.name };
  }

  /** Answers whether its bytes are its content. */
  #look(object: FileObject, answer: (plain: boolean) => void): void {
    const end = Math.min(object.size, headBytes);
    this.#looking = object;
    const looked = (plain: boolean): void => {
      this.#looking = undefined;
      answer(plain);
    };
    this.#request.add(
      pinnedRange(object, { start: 0, end }).subscribe({
        next: ({ chunks, info }) => {
          looked(this.#isPlain(object, Buffer.concat(chunks), info.content?.encoding));
        },
        error: () => {
          looked(false);
        },
      }),
    );
  }

  #isPlain({ uri, size }: FileObject, head: Buffer, encoding: string | undefined): boolean {
    const { detects, format } = this.#options;
    const { text = false } = format;
    try {
      if (detects) return codecOf({ uri, encoding, head, whole: size <= headBytes, text }) === undefined;
      if (text) checkText(uri, head, undefined);
      return true;
    } catch {
      // Its reader reports it.
      return false;
    }
  }
}
