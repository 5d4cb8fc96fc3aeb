import type { ObjectDescription, UploadedPart } from '../../store/objectStore.js';
import type { FileEncoder } from '../../formats/writer.js';
import { partSizeOf, type BufferPool, type Range, type Tail } from '../../store/multipart/index.js';
import type { FileCommittable, SealedRows } from './committable.js';
import type { Remainder } from './remainder.js';
import type { TimeRange } from '../events.js';
import { TailBytes } from './tailBytes.js';

/**
 * The recoverable writer of one file: a plain object without I/O. It promises that at any barrier the file can be
 * frozen as {parts 1..k, tail}, and published later exactly as it was then, by this attempt or any other.
 *
 * States: open → rolled. Steps, with what a crash after each leaves:
 *
 * 1. `write` appends; a full part is cut, and goes to the uploads. Nothing durable refers to it: the source replays.
 *    The upload is created with the first part; an upload that no manifest names is swept by name.
 * 2. A barrier freezes the file: the number of parts cut so far and the tail after them. The tail's new bytes go to
 *    the checkpoint's one journal (or inline into the manifest). A journal without a manifest is garbage; a part
 *    uploaded after the freeze does not count.
 * 3. The barrier is acked when those parts and that journal are stored. Once the manifest is durable, restore seals
 *    the file as parts 1..k plus the tail.
 * 4. `roll` cuts the rest as the last part. The next barrier carries the file as closed. Before that barrier is
 *    durable, the state of step 3 is what a restore seals: the late parts are left out of its Complete.
 * 5. Closed and durable: the committer completes the upload, any number of times.
 */
export class OpenFile {
  /** Text not yet encoded: encoding pays off only by the block. */
  text = '';
  /** Whether the sink lists it among the files with text. */
  listed = false;
  /**
   * The time of the last record, in records of the sink; its value when the sink last checked; and the time of that
   * check.
   */
  touched = 0;
  seen = 0;
  activeAt: number;

  /** Set once, when the file is opened. */
  encoder!: FileEncoder<never>;
  /** State that checkpoints keep besides its bytes, if its encoder persists. */
  remainder: Remainder | undefined;
  /** A record was written since its encoder persisted. */
  dirty = false;
  /** Bytes that its encoder held when the sink last checked. */
  held = 0;

  records = 0;
  /** The event times of its records, if they are known. */
  times: TimeRange | undefined;
  /** The number of barriers of the sink before its first record. */
  barriers = 0;
  /** By the wall clock, for a user's predicate only. */
  openedAt = 0;
  lastWriteAt = 0;
  /** Bytes written, without text. */
  size = 0;
  uploadId: string | undefined;
  readonly parts: UploadedPart[] = [];
  /** Parts cut so far; their uploads may be in progress. */
  cut = 0;

  /** Bytes that no part holds. */
  readonly tail: TailBytes;

  constructor(
    readonly uid: string,
    readonly key: string,
    readonly partition: string,
    /** The description of its object. */
    readonly object: ObjectDescription | undefined,
    readonly created: number,
    private readonly partSize: number,
    private readonly pool: BufferPool,
  ) {
    this.activeAt = created;
    this.tail = new TailBytes(pool);
  }

  /** A record has this event time. */
  covers(time: number): void {
    const times = this.times;
    if (times === undefined) this.times = { from: time, to: time };
    // Never changed in place: frozen files keep theirs.
    else if (time < times.from) this.times = { ...times, from: time };
    else if (time > times.to) this.times = { ...times, to: time };
  }

  /** Appends the collected text. Full parts go to `cut`. */
  flush(cut: (part: PartCut) => void): void {
    const text = this.text;
    if (text === '') return;
    this.text = '';
    const most = this.#nextPartSize();
    const written = this.tail.writeString(text, most, this.cut > 0);
    if (written === undefined) {
      this.#append(Buffer.from(text), cut);
      return;
    }
    this.size += written;
    if (this.tail.length === most) cut(this.#cutPart());
  }

  /** Appends bytes, which are copied. Full parts go to `cut`. */
  write(bytes: Uint8Array, cut: (part: PartCut) => void): void {
    this.flush(cut);
    this.#append(bytes, cut);
  }

  #append(bytes: Uint8Array, cut: (part: PartCut) => void): void {
    for (let at = 0; at < bytes.length;) {
      const most = this.#nextPartSize();
      const count = this.tail.write(bytes, at, most, this.cut > 0);
      this.size += count;
      at += count;
      if (this.tail.length === most) cut(this.#cutPart());
    }
  }

  /** Cuts the rest as the last part. Nothing may be written afterwards. */
  roll(cut: (part: PartCut) => void): void {
    this.flush(cut);
    if (this.tail.length > 0) cut(this.#cutPart());
  }

  /** Frees its memory. Nothing may be written afterwards. */
  discard(): void {
    this.text = '';
    const { memory } = this.tail.take();
    if (memory !== undefined) this.pool.give(memory);
  }

  /** Frees the memory of bytes that journals hold. Returns the bytes freed. */
  drop(): number {
    return this.tail.drop(this.#nextPartSize());
  }

  /** The file as it is now. */
  freeze(store: string, checkpoint: number, inline: boolean, seal?: string, closed = false): FrozenFile {
    const tail = this.tail.freeze(inline);
    const { remainder } = this;
    return new FrozenFile(
      this,
      store,
      checkpoint,
      this.cut,
      remainder === undefined ? tail : remainder.close(tail),
      seal === undefined ? undefined : remainder?.seal(seal),
      closed,
    );
  }

  #nextPartSize(): number {
    return partSizeOf(this.cut + 1, this.partSize);
  }

  #cutPart(): PartCut {
    return { file: this, number: ++this.cut, ...this.tail.take() };
  }
}

/** A part to upload: first the bytes of `spilled`, then those of `memory`, `size` in total. */
export interface PartCut {
  readonly file: OpenFile;
  readonly number: number;
  readonly size: number;
  readonly spilled: readonly Range[];
  readonly memory: Buffer | undefined;
}

/** A file as a barrier found it. Its parts get their ETags later. */
export class FrozenFile {
  readonly size: number;
  readonly records: number;
  readonly times: TimeRange | undefined;

  constructor(
    readonly file: OpenFile,
    readonly store: string,
    readonly checkpoint: number,
    readonly cut: number,
    readonly tail: Tail | undefined,
    readonly seal: SealedRows | undefined,
    readonly closed: boolean,
  ) {
    this.size = file.size + (file.remainder?.closingLength ?? 0);
    this.records = file.records;
    this.times = file.times;
  }

  committable(): FileCommittable {
    const { file, store, checkpoint, tail, seal, size, records, times, closed } = this;
    const parts = file.parts.slice(0, this.cut);
    const uploadId = this.cut > 0 ? file.uploadId : undefined;
    const object = uploadId === undefined ? file.object : undefined;
    return {
      uid: file.uid,
      store,
      key: file.key,
      uploadId,
      parts,
      tail,
      seal,
      object,
      size,
      records,
      times,
      checkpoint,
      ...(closed && { closed }),
    };
  }
}
