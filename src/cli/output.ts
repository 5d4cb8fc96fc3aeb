import { once } from 'node:events';
import type { Terminal } from './io.js';
import { ReaderGone } from './exit.js';

/**
 * What is written for others to read, at their pace. A reader that goes away (`millrace cat … | head`) aborts `gone`, with
 * a `ReaderGone`; what is written after that is dropped.
 */
export class Output {
  readonly isTerminal: boolean;
  readonly #stream: Terminal;
  readonly #gone = new AbortController();
  #failed: unknown;
  #full = false;

  constructor(stream: Terminal) {
    this.#stream = stream;
    this.isTerminal = stream.isTTY === true;
    stream.on('drain', () => (this.#full = false));
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#failed = error.code === 'EPIPE' ? new ReaderGone() : error;
      this.#gone.abort(this.#failed);
    });
  }

  /** Aborted when nobody takes what is written any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Columns, where it is a terminal that tells. */
  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  write(chunk: string | Uint8Array): void {
    if (this.#gone.signal.aborted) return;
    if (!this.#stream.write(chunk)) this.#full = true;
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** One line of JSON. */
  record(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** Resolves when there is room for more. Rejects with a `ReaderGone`, or what else went wrong. */
  async room(): Promise<void> {
    this.#gone.signal.throwIfAborted();
    if (!this.#full) return;
    try {
      await once(this.#stream, 'drain', { signal: this.#gone.signal });
    } catch (error) {
      this.#gone.signal.throwIfAborted();
      throw error;
    }
  }

  /** Resolves when everything has been taken. */
  async flush(): Promise<void> {
    this.#gone.signal.throwIfAborted();
    await new Promise<void>((resolve) => {
      this.#gone.signal.addEventListener('abort', () => resolve(), { once: true });
      this.#stream.write('', () => resolve());
    });
    this.#gone.signal.throwIfAborted();
  }
}
