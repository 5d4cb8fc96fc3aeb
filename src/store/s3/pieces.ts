import type { Readable } from 'node:stream';
import type { TakeBytes } from '../objectStore.js';

/** The size of a piece. Larger ones have left the processor's cache when they are taken. Bytes. */
const pieceSize = 512 << 10;

/** Pieces that may be underway; then the body waits. */
const most = 3;

/** Hands a body on in pieces, the next while the last are being taken. */
export class Pieces {
  readonly #take: TakeBytes;
  readonly #underWay = new Set<Promise<void>>();
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #at = 0;
  #failed: { readonly error: unknown } | undefined;

  constructor(take: TakeBytes) {
    this.#take = take;
  }

  /** Adds a chunk of `body`, which is paused while too much is underway, and destroyed when a piece was refused. */
  add(chunk: Uint8Array, body: Readable): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= pieceSize) this.#flush(body);
  }

  /** Resolves when all pieces are taken. Rejects with the error of the first that was refused. */
  async end(): Promise<void> {
    this.#flush(undefined);
    await Promise.all(this.#underWay);
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  #flush(body: Readable | undefined): void {
    if (this.#bytes === 0 || this.#failed !== undefined) return;
    const taken = this.#take(this.#chunks, this.#at).catch((error: unknown) => {
      this.#failed ??= { error };
      body?.destroy();
    });
    this.#at += this.#bytes;
    this.#chunks = [];
    this.#bytes = 0;
    this.#underWay.add(taken);
    if (this.#underWay.size >= most) body?.pause();
    void taken.then(() => {
      this.#underWay.delete(taken);
      body?.resume();
    });
  }
}
