import { randomUUID } from 'node:crypto';
import type { Observable } from 'rxjs';
import { catchError, concat, concatMap, defer, EMPTY, finalize, map, of, tap, throwError } from 'rxjs';
import { MillraceError } from '../../errors.js';
import { systemClock, type Clock } from '../../flow/index.js';
import { isStoreError, StoreError } from '../../store/errors.js';
import { compositeEtag, md5 } from '../../store/helpers.js';
import {
  completeUpload,
  etagOf,
  markOf,
  minPart,
  MultipartUpload,
  publish,
  putIdMetadata,
  type Publishing,
} from '../../store/multipart/index.js';
import type { Metadata, PutResult } from '../../store/objectStore.js';
import { unlimited } from '../../job/memory/index.js';
import type { WriteOptions, Written } from '../types.js';
import { describedContent } from './contentType.js';
import { PartStream, type PartTarget } from './partStream.js';

export interface WriteTarget extends PartTarget {
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Writes one object, from `write` to `end` or `abort`; see `index.ts`. One call at a time. Errors of `write` and `end`: those
 * of the store, and `WriterClosed` after `end` or `abort`. Call `abort` after an error.
 */
export class ObjectWriter {
  readonly #target: Required<WriteTarget>;
  readonly #options: WriteOptions;
  readonly #putId = randomUUID();
  readonly #stream: PartStream;
  /** Tests the form of ETags; never completed. */
  #trial: MultipartUpload | undefined;
  /** MD5s of the parts, if an option needs them. */
  readonly #hashes: string[] = [];
  #state: 'open' | 'ending' | 'published' | 'aborted' = 'open';

  /** Throws `InvalidOption`. */
  constructor(target: WriteTarget, options: WriteOptions = {}) {
    this.#target = { clock: systemClock, random: Math.random, allow: unlimited, ...target };
    this.#options = options;
    const { partSize, inFlight, putOnlyIfModified = false, integrityCheck = false } = options;
    this.#stream = new PartStream(this.#target, {
      partSize,
      inFlight,
      described: this.#described({ [putIdMetadata]: this.#putId }),
      who: 'a writer of millrace/fs',
      check: () => this.#check(),
      onPart: ({ number, bytes }) => {
        if (putOnlyIfModified || integrityCheck) this.#hashes[number - 1] = md5(bytes);
      },
    });
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#stream.size;
  }

  /**
   * Appends bytes; completes when more may follow. By then they are copied, unless they are `stable`: then the caller must not
   * change them before the end.
   */
  write(bytes: Uint8Array, { stable = false }: { readonly stable?: boolean } = {}): Observable<never> {
    return this.#stream.write(bytes, stable);
  }

  /** Publishes. Errors: `AlreadyExists`, `PreconditionFailed`, `Conflict` (by the options), `Integrity`. */
  end(): Observable<Written> {
    return defer(() => {
      this.#check();
      this.#state = 'ending';
      const inParts = this.#stream.cut > 0 || this.#options.integrityCheck === true;
      return inParts ? this.#complete() : this.#put();
    }).pipe(
      tap(() => (this.#state = 'published')),
      finalize(() => {
        this.#stream.leave();
      }),
    );
  }

  /** Aborts, and completes when the upload is removed. A published object stays. */
  abort(): Observable<never> {
    return defer(() => {
      if (this.#state === 'published') return EMPTY;
      this.#state = 'aborted';
      this.#stream.drop();
      return concat(this.#stream.upload.abort(), this.#trial?.abort() ?? EMPTY);
    });
  }

  #put(): Observable<Written> {
    const { store, key } = this.#target;
    const bytes = this.#stream.takeRest();
    const conditions = this.#conditions();
    const conditional = Object.keys(conditions).length > 0;
    const described = this.#described(conditional ? { [putIdMetadata]: this.#putId } : undefined);
    const request = store.put(key, bytes, { ...described, ...conditions });
    const put = conditional ? publish(this.#publishing(), request).pipe(map(etagOf)) : request;
    return this.#unlessSame(() => md5(bytes), put);
  }

  #complete(): Observable<Written> {
    const { upload } = this.#stream;
    this.#stream.addRest();
    const complete = defer(() => {
      const { uploadId = '', parts } = upload;
      const completed = completeUpload({ ...this.#publishing(), uploadId }, parts, this.#conditions());
      return this.#unlessSame(
        () => compositeEtag(this.#hashes.map((etag) => ({ etag }))),
        completed.pipe(map(etagOf)),
      );
    });
    const checked = defer(() => this.#checkParts());
    return concat(upload.idle(), checked, complete).pipe(
      concatMap((written) => (written.modified ? of(written) : concat(upload.abort(), of(written)))),
    );
  }

  /** Not exclusive: others may write to the key, too. */
  #publishing(): Publishing {
    const identity = { mark: markOf(this.#putId), size: this.size };
    return { ...this.#target, identity, exclusive: false };
  }

  /** Publishes, unless `putOnlyIfModified` finds an object with these bytes. */
  #unlessSame(etag: () => string, published: Observable<PutResult>): Observable<Written> {
    const { store, key, uri } = this.#target;
    const size = this.size;
    const written = published.pipe(map((result) => ({ uri, etag: result.etag, size, modified: true })));
    if (this.#options.putOnlyIfModified !== true) return written;
    return store.head(key).pipe(
      catchError((error: unknown) =>
        isStoreError(error, 'NotFound') ? of(undefined) : throwError(() => error),
      ),
      concatMap((info) =>
        info?.size === size && info.etag === etag()
          ? of({ uri, etag: info.etag, size, modified: false })
          : written,
      ),
    );
  }

  /**
   * Verifies that parts arrived unchanged. If no part's ETag is its MD5, ETags may not be MD5s at all: an empty part, which
   * cannot be damaged, shows that.
   */
  #checkParts(): Observable<never> {
    if (this.#options.integrityCheck !== true) return EMPTY;
    const { parts } = this.#stream.upload;
    const wrong = parts.filter(({ number, etag }) => etag !== this.#hashes[number - 1]);
    const [first] = wrong;
    if (first === undefined) return EMPTY;
    const { store, key, uri } = this.#target;
    const damaged = defer(() => throwError(() => changed(uri, first.number)));
    if (wrong.length < parts.length) return damaged;
    const trial = new MultipartUpload(store, key, { inFlight: 1, partSize: minPart });
    this.#trial = trial;
    trial.add({ number: 1, bytes: nothing });
    return concat(
      trial.idle(),
      defer(() => (trial.parts[0]?.etag === md5(nothing) ? damaged : throwError(() => unchecked(uri)))),
    );
  }

  #conditions(): { readonly ifNoneMatch?: '*'; readonly ifMatch?: string } {
    const { assumeObjectNotExists = false, ifMatch } = this.#options;
    if (assumeObjectNotExists) return { ifNoneMatch: '*' };
    return ifMatch === undefined ? {} : { ifMatch };
  }

  #described(mark: Metadata | undefined): Pick<WriteOptions, 'metadata' | 'content'> {
    const metadata = mark === undefined ? this.#options.metadata : { ...this.#options.metadata, ...mark };
    return {
      ...describedContent(this.#target.key, this.#options.content),
      ...(metadata === undefined ? {} : { metadata }),
    };
  }

  #check(): void {
    if (this.#state === 'open') return;
    throw new MillraceError('WriterClosed', `The writer of ${this.#target.uri} is closed. Open a new one.`);
  }
}

const nothing = Buffer.alloc(0);

const changed = (uri: string, part: number): StoreError =>
  new StoreError('Integrity', `Part ${part} of ${uri} was damaged in transit. Write it again.`);

const unchecked = (uri: string): StoreError =>
  new StoreError(
    'NotSupported',
    `${uri} cannot be checked: its ETags are not MD5s (as with SSE-KMS). Set a checksum for the connection instead.`,
  );
