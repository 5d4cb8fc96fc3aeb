import { concat, concatMap, defer, from, mergeMap, Observable, range, tap } from 'rxjs';
import type { Clock } from '../../flow/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import type { CellContent, CellPath } from '../cells.js';
import { compareBytes, compareEncoded } from '../keys/encodedKeys.js';
import { KeyReader } from '../keys/keys.js';
import type { MergeTarget } from '../runs/merge.js';
import type { Step } from '../slices.js';
import { ObjectUpload } from '../runs/upload.js';
import { ListBuilder, listName } from './entryList.js';
import { entryName } from './entryName.js';
import { encodeEntry, type EntrySchema } from './entryObject.js';

/** A folder of a store. */
export interface EntryPlace {
  readonly store: ObjectStore;
  /** Empty, or with a slash at its end. */
  readonly prefix: string;
}

/** An object that was written or read. */
export interface MovedObject {
  readonly key: string;
  readonly bytes: number;
}

export interface EntryWriterOptions {
  /** The operator's folder. */
  readonly to: EntryPlace;
  readonly maxParallelism: number;
  /** The name and schema of a state, by index. */
  readonly state: (at: number) => { readonly name: string; readonly schema: EntrySchema };
  /** Ends the names of entries. */
  readonly extension: string;
  readonly compression: boolean;
  /** Larger entries are uploaded in parts of this size. Bytes. */
  readonly partSize: number;
  /** Requests in flight. */
  readonly concurrency: number;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called when an entry is stored. */
  readonly stored: (object: MovedObject) => void;
}

/** Encoded bytes after which entries are uploaded. */
const enough = 8 * 2 ** 20;

/** An entry while its cells come. */
interface Draft {
  readonly encodedKey: Uint8Array;
  readonly state: number;
  readonly namespace: Uint8Array;
  readonly cells: { readonly subKey: Uint8Array; readonly content: CellContent }[];
}

interface EncodedEntry {
  readonly key: string;
  readonly body: Buffer;
}

/**
 * The target of a merge that writes an object for each entry, and the lists of them. Memory is one entry and 8 MiB.
 */
export class EntryWriter implements MergeTarget {
  readonly #options: EntryWriterOptions;
  readonly #list = new ListBuilder();
  #draft: Draft | undefined;
  #ready: EncodedEntry[] = [];
  #weight = 0;
  entries = 0;
  bytes = 0;
  lists = 0;

  constructor(options: EntryWriterOptions) {
    this.#options = options;
  }

  get encoder(): this {
    return this;
  }

  get full(): boolean {
    return this.#ready.length >= 4 * this.#options.concurrency || this.#weight >= enough;
  }

  addEncoded(
    _group: number,
    _hash: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    state: number,
    { namespace, subKey }: CellPath,
    content: CellContent,
  ): void {
    let draft = this.#draft;
    if (
      draft?.state !== state ||
      compareEncoded(draft.encodedKey, 0, draft.encodedKey.length, bytes, start, end) !== 0 ||
      compareBytes(draft.namespace, namespace) !== 0
    ) {
      this.#end();
      const encodedKey = Uint8Array.prototype.slice.call(bytes, start, end);
      this.#draft = draft = { encodedKey, state, namespace, cells: [] };
    }
    draft.cells.push({ subKey, content });
  }

  flush(): Step {
    const ready = this.#ready;
    this.#ready = [];
    this.#weight = 0;
    const { concurrency, stored } = this.#options;
    const entries = from(ready).pipe(
      mergeMap(
        ({ key, body }) =>
          this.#put(key, body).pipe(tap({ complete: () => stored({ key, bytes: body.length }) })),
        concurrency,
      ),
    );
    return this.#list.full ? concat(entries, this.#endList()) : entries;
  }

  finish(): Step {
    this.#end();
    const entries = this.flush() as Observable<unknown>;
    return concat(
      entries,
      defer(() => (this.#list.empty ? [] : this.#endList())),
    );
  }

  #end(): void {
    const draft = this.#draft;
    if (draft === undefined) return;
    this.#draft = undefined;
    const { to, state, maxParallelism, extension, compression } = this.#options;
    const { name, schema } = state(draft.state);
    const key = new KeyReader(draft.encodedKey).key();
    const { namespace, cells } = draft;
    const object = entryName(name, key, namespace, maxParallelism) + extension;
    const body = encodeEntry({ state: name, schema, key, namespace, cells }, compression);
    this.#ready.push({ key: to.prefix + object, body });
    this.#weight += body.length;
    this.#list.add({ name: object, bytes: body.length });
    this.entries++;
    this.bytes += body.length;
  }

  #endList(): Observable<unknown> {
    return defer(() => this.#put(this.#options.to.prefix + listName(++this.lists), this.#list.take()));
  }

  /** Uploads an object, in parts if it is large. A multipart upload that does not end is aborted. */
  #put(key: string, body: Buffer): Observable<unknown> {
    return new Observable((out) => {
      const { to, partSize, clock, random } = this.#options;
      const upload = new ObjectUpload({ store: to.store, key, clock, random }, partSize);
      const parts = Math.max(1, Math.ceil(body.length / partSize));
      const push = (part: number): void => upload.push(body.subarray(part * partSize, (part + 1) * partSize));
      let finished = false;
      out.add(() => {
        if (!finished) upload.abort()?.subscribe({ error: () => undefined });
      });
      return concat(
        range(0, parts - 1).pipe(
          concatMap((part) => {
            push(part);
            return upload.flush();
          }),
        ),
        defer(() => {
          push(parts - 1);
          return upload.finish();
        }),
      )
        .pipe(tap({ complete: () => (finished = true) }))
        .subscribe(out);
    });
  }
}
