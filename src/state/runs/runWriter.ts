import type { Observable } from 'rxjs';
import { tap } from 'rxjs';
import type { SegmentEncoder } from '../segment/encoder.js';
import type { SegmentRef } from '../segment/segmentObject.js';
import type { Step } from '../slices.js';
import type { ObjectUpload } from './upload.js';

/** A segment being written. */
export interface SegmentDraft {
  readonly object: string;
  readonly encoder: SegmentEncoder;
  readonly upload: ObjectUpload;
}

/** A stored segment, and the requests it took. */
export interface WrittenSegment {
  readonly ref: SegmentRef;
  readonly requests: number;
  /** Bytes of its cells, uncompressed. */
  readonly plainBytes: number;
}

/**
 * Writes cells, in the order of their addresses, as a **run**: the segments of one freeze or one merge, each within
 * the limits of a segment. Add cells to the {@link encoder} until it is full, then {@link flush}; at the end, {@link
 * finish}.
 */
export class RunWriter {
  readonly #draft: () => SegmentDraft;
  #now: SegmentDraft;
  readonly written: WrittenSegment[] = [];
  /** Everything is stored. */
  finished = false;

  /** @param draft creates the next segment */
  constructor(draft: () => SegmentDraft) {
    this.#draft = draft;
    this.#now = draft();
  }

  /** Add cells to it until it is full. May change with each {@link flush}. */
  get encoder(): SegmentEncoder {
    return this.#now.encoder;
  }

  get refs(): readonly SegmentRef[] {
    return this.written.map(({ ref }) => ref);
  }

  /** Ends a block. */
  flush(): Step {
    const { encoder, upload } = this.#now;
    upload.push(encoder.flush());
    if (encoder.complete) return this.#publish(() => (this.#now = this.#draft()));
    return upload.due ? upload.flush() : 'more';
  }

  /** Ends the run. Without cells, there is no segment. */
  finish(): Step {
    const { encoder, upload } = this.#now;
    upload.push(encoder.flush());
    if (encoder.cells > 0) return this.#publish(() => (this.finished = true));
    this.finished = true;
    return 'more';
  }

  /** Gives up what is not in the store yet. */
  abort(): Observable<never> | undefined {
    return this.finished ? undefined : this.#now.upload.abort();
  }

  #publish(then: () => void): Observable<unknown> {
    const { object, encoder, upload } = this.#now;
    upload.push(encoder.finish());
    return upload.finish().pipe(
      tap({
        complete: () => {
          const { bytes, cells, crc, sha256, first } = encoder;
          this.written.push({
            ref: { object, bytes, cells, crc, sha256, first },
            requests: upload.requests,
            plainBytes: encoder.plainBytes,
          });
          then();
        },
      }),
    );
  }
}
