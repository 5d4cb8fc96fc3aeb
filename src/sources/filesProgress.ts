/**
 * The progress of a `files` source: counts what its discovery has found and its reader has read.
 *
 * A checkpoint holds the objects that were read to their end. With the positions in those that are being read, a restored
 * run knows again what was read: exactly, or in a compressed object from its last member. What is left is found
 * again by listing.
 */
import type { InputAmount, SourceProgress } from '../store/observe/sourceProgress.js';
import type { Discovery, FileObject } from './discovery.js';
import { versionOf, type FilesPosition, type OpenPosition } from './filesPosition.js';

/** An object that is being read. */
export interface Reading {
  readonly object: FileObject;
  /** Bytes read of it, as the store holds them. */
  readonly stored: number;
}

export class FilesProgress {
  /** Read to their end. */
  #objects: number;
  #bytes: number;
  /** Found by the discovery, passed to the reader, and not read to their end. */
  readonly #open = new Set<FileObject>();
  /** In the restored position, and not found again yet. */
  readonly #resuming: Set<OpenPosition>;
  readonly #requests = { list: 0, head: 0 };

  /** @param restored the restored position */
  constructor(restored: Pick<FilesPosition, 'read' | 'objects'> | undefined) {
    const { read = { objects: 0, bytes: 0 }, objects = [] } = restored ?? {};
    this.#objects = read.objects;
    this.#bytes = read.bytes;
    this.#resuming = new Set(objects);
  }

  /** The discovery has sent a request. */
  readonly requested = (method: 'list' | 'head'): void => {
    this.#requests[method]++;
  };

  /** The discovery has passed an object to the reader. */
  found(object: FileObject): void {
    this.#open.add(object);
  }

  /** An object of the restored position is found again, or given up. */
  resumed(object: OpenPosition): void {
    this.#resuming.delete(object);
  }

  /** An object or split is read to its end. `whole`: nothing else of the object is left. */
  finished(object: FileObject, whole: boolean): void {
    const { begin, end } = object.split ?? { begin: 0, end: object.size };
    this.#open.delete(object);
    this.#bytes += end - begin;
    if (whole) this.#objects++;
  }

  /** An object is given up. */
  lost(object: FileObject): void {
    this.#open.delete(object);
  }

  /** What a position says: objects that are read to their end. */
  get read(): InputAmount {
    return { objects: this.#objects, bytes: this.#bytes };
  }

  /** @param uncut what is left of an object that is handed out in splits */
  now(
    discovery: Discovery,
    reading: Iterable<Reading>,
    uncut: { readonly object: FileObject; readonly bytes: number } | undefined,
  ): SourceProgress {
    const stored = new Map([...reading].map((each) => [each.object, each.stored]));
    const read = { ...this.read };
    const left = { objects: 0, bytes: 0 };
    let oldest = Infinity;
    // Splits of an object count as one.
    const versions = new Set<string>();
    for (const object of this.#resuming) {
      read.bytes += startOf(object);
      versions.add(versionOf(object));
    }
    for (const object of this.#open) {
      const { begin, end } = object.split ?? { begin: 0, end: object.size };
      const at = Math.min(end, Math.max(begin, stored.get(object) ?? object.from));
      read.bytes += at - begin;
      left.bytes += end - at;
      versions.add(versionOf(object));
      oldest = Math.min(oldest, object.modified);
    }
    if (uncut !== undefined) {
      left.bytes += uncut.bytes;
      versions.add(versionOf(uncut.object));
      oldest = Math.min(oldest, uncut.object.modified);
    }
    left.objects += versions.size;
    for (const { size, modified } of discovery.ahead()) {
      left.objects++;
      left.bytes += size;
      oldest = Math.min(oldest, modified);
    }
    const { complete } = discovery;
    const lag = discovery.lag?.();
    return {
      listed: { objects: read.objects + left.objects, bytes: read.bytes + left.bytes },
      read,
      left,
      complete,
      requests: { ...this.#requests },
      ...(lag === undefined
        ? {}
        : {
            lag: {
              ...(oldest === Infinity ? {} : { oldestMs: Math.max(0, Math.round(lag.serverTime - oldest)) }),
              listingMs: Math.round(lag.listingMs),
            },
          }),
    };
  }
}

/** Where reading resumes. */
const startOf = ({ offset, compressed, split }: OpenPosition): number =>
  (compressed?.at ?? offset) - (split?.begin ?? 0);
