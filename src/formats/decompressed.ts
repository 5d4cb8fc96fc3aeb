import type { MemberStart } from './decompressor.js';

/** Decompressed bytes that may wait for the reader. */
const aheadBytes = 256 * 1024;
/** The maximum number of chunks that wait for the reader, however small: removing the first one costs O(n). */
const aheadChunks = 1024;

/** What a decompressor has produced: the bytes that wait for the reader, and where members start. */
export class Decompressed {
  readonly #chunks: Buffer[] = [];
  readonly #from: MemberStart;
  #held = 0;
  #produced: number;
  #members: MemberStart[];
  /** The reader has passed those before it. */
  #firstMember = 0;

  constructor(from: MemberStart) {
    this.#from = from;
    this.#produced = from.offset;
    this.#members = [from];
  }

  get held(): number {
    return this.#held;
  }

  get empty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Whether enough waits for the reader. */
  get full(): boolean {
    return this.#held >= aheadBytes || this.#chunks.length >= aheadChunks;
  }

  put(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#produced += chunk.length;
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  read(): Buffer | undefined {
    const chunk = this.#chunks.shift();
    this.#held -= chunk?.length ?? 0;
    return chunk;
  }

  /** A member starts at this offset of the stored object. */
  startMember(at: number): void {
    // Replaces an empty member before this one. There may be millions, and it is not a better place to resume.
    if (this.#members.at(-1)?.offset === this.#produced) this.#members.pop();
    this.#members.push({ at, offset: this.#produced });
  }

  /** The last member that starts at or before the offset, which must not decrease from call to call. */
  member(offset: number): MemberStart {
    for (;;) {
      const next = this.#members[this.#firstMember + 1];
      if (next === undefined || next.offset > offset) break;
      this.#firstMember++;
    }
    // Not each time, because the rest has to be moved.
    if (this.#firstMember > this.#members.length / 2 + 32) {
      this.#members = this.#members.slice(this.#firstMember);
      this.#firstMember = 0;
    }
    return this.#members[this.#firstMember] ?? this.#from;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#held = 0;
  }
}
