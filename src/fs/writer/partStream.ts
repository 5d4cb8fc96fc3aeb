import { concat, defer, EMPTY, type Observable } from 'rxjs';
import { InvalidOption, parseSize, type Size } from '../../config/units.js';
import { unlimited, type Allow } from '../../job/memory/index.js';
import { StoreError } from '../../store/errors.js';
import { maxObject, minPart, MultipartUpload, partSizeOf, type Part } from '../../store/multipart/index.js';
import type { ObjectStore, UploadOptions } from '../../store/objectStore.js';
import { PartBuffer } from './partBuffer.js';
import { WriterMemory } from './writerMemory.js';

export interface PartTarget {
  readonly store: ObjectStore;
  readonly key: string;
  readonly uri: string;
  /** Where its memory comes from. Default: it may have what it can use. */
  readonly allow?: Allow;
}

export interface PartStreamOptions {
  /** Of the first parts; later ones grow. Default 8 MiB. */
  readonly partSize?: Size | undefined;
  /** Concurrent uploads of parts. Default 4. */
  readonly inFlight?: number | undefined;
  /** The smallest `partSize`. Bytes. Default 5 MiB, as on AWS. */
  readonly least?: number;
  /** Metadata and content of the object. */
  readonly described: UploadOptions;
  /** For messages about memory. */
  readonly who: string;
  /** Called before bytes are appended. Throws if none may be. */
  readonly check: () => void;
  /** Called with each part, before it is uploaded. */
  readonly onPart?: (part: Part) => void;
}

/**
 * Bytes on their way into the parts of one upload: those in the buffer, which are no part yet, and the parts in flight. All
 * count towards the memory of the process.
 */
export class PartStream {
  readonly upload: MultipartUpload;
  readonly #uri: string;
  readonly #buffer: PartBuffer;
  readonly #memory: WriterMemory;
  readonly #check: () => void;
  readonly #onPart: ((part: Part) => void) | undefined;
  #over = false;

  /** Throws `InvalidOption`. */
  constructor({ store, key, uri, allow = unlimited }: PartTarget, options: PartStreamOptions) {
    const { partSize = '8MiB', inFlight = 4, least = minPart, described, who } = options;
    const base = parseSize('partSize', partSize);
    if (base < least || base > 2 ** 30)
      throw new InvalidOption('partSize', partSize, `${least === minPart ? '5 MiB' : least} to 1 GiB`);
    if (!Number.isSafeInteger(inFlight) || inFlight < 1)
      throw new InvalidOption('inFlight', inFlight, 'a whole number from 1 on');
    this.#uri = uri;
    this.#check = options.check;
    this.#onPart = options.onPart;
    this.#buffer = new PartBuffer((number) => partSizeOf(number, base));
    this.#memory = new WriterMemory(allow, { who, partSize: base, inFlight }, () => {
      this.#memoryChanged();
    });
    const room = (): number => this.#memory.room;
    this.upload = new MultipartUpload(store, key, { ...described, inFlight, partSize: base, room });
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#buffer.total;
  }

  /** Parts cut so far. */
  get cut(): number {
    return this.#buffer.cut;
  }

  /** The bytes that are in no part yet: a view, valid until more are written. */
  get tail(): Uint8Array {
    return this.#buffer.tail;
  }

  /** Appends bytes; completes when more may follow. By then they are copied, unless they are `stable`. */
  write(bytes: Uint8Array, stable: boolean): Observable<never> {
    return defer(() => {
      if (this.size + bytes.length > maxObject) throw tooLarge(this.#uri);
      return this.#append(bytes, 0, stable);
    });
  }

  /** Adds what is left as the last part. */
  addRest(): void {
    this.#add(this.#buffer.rest());
  }

  /** Takes what is left, for an object that needs no parts. */
  takeRest(): Uint8Array {
    return this.#buffer.rest().bytes;
  }

  /** Nothing is written any more: its memory counts no longer. Idempotent. */
  leave(): void {
    this.#over = true;
    this.#memory.leave();
  }

  /** Frees what is in no part, and leaves. */
  drop(): void {
    this.#buffer.drop();
    this.leave();
  }

  #append(bytes: Uint8Array, from: number, stable: boolean): Observable<never> {
    return defer(() => {
      this.#check();
      const cut = this.#buffer.cut;
      const at = this.#buffer.append(bytes, from, stable, (part) => this.#add(part));
      this.#count();
      if (this.#buffer.cut === cut) return EMPTY;
      return concat(this.upload.room(), at === bytes.length ? EMPTY : this.#append(bytes, at, stable));
    });
  }

  #add(part: Part): void {
    this.#onPart?.(part);
    this.upload.add({
      ...part,
      done: () => {
        part.done?.();
        this.#count();
      },
    });
  }

  #count(): void {
    if (this.#over) return;
    if (this.#held > this.#memory.limit) this.#buffer.trim();
    this.#memory.holds(this.#held);
  }

  get #held(): number {
    return this.#buffer.held + this.upload.held;
  }

  #memoryChanged(): void {
    this.#count();
    this.upload.roomGrew();
  }
}

const tooLarge = (uri: string): StoreError =>
  new StoreError('InvalidRequest', `${uri} would be larger than 5 TiB, which no object can be. Split it.`);
