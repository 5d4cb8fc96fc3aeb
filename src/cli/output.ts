import { once } from 'node:events';
import type { Terminal } from './io.js';
import { ReaderGone } from './exit.js';
import { printable, printableJson } from './render/text.js';

/**
 * An output stream with backpressure. When its reader exits (`millrace cat … | head`), `gone` is aborted with a `ReaderGone`,
 * and later writes are dropped.
 */
export class Output {
  readonly isTerminal: boolean;
  readonly #stream: Terminal;
  /** Aborted by `gone`, and by an interrupt, since a reader may never continue. */
  readonly #stop: AbortSignal;
  readonly #gone = new AbortController();
  #full = false;
  /** Called before each line, to hide a progress bar. */
  beforeLine: (() => void) | undefined;

  constructor(stream: Terminal, interrupt: AbortSignal) {
    this.#stream = stream;
    this.#stop = AbortSignal.any([interrupt, this.#gone.signal]);
    this.isTerminal = stream.isTTY === true;
    stream.on('drain', () => (this.#full = false));
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#gone.abort(error.code === 'EPIPE' ? new ReaderGone() : error);
    });
  }

  /** Aborted when the output has no reader any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Columns of the terminal; 80 if unknown. */
  get columns(): number {
    return this.#stream.columns ?? 80;
  }

  write(chunk: string | Uint8Array): void {
    if (this.#gone.signal.aborted) return;
    if (!this.#stream.write(chunk)) this.#full = true;
  }

  /** Writes one line. Control characters are escaped. */
  line(text: string): void {
    this.beforeLine?.();
    this.write(`${printable(text)}\n`);
  }

  /** Writes one line of JSON. */
  record(value: unknown): void {
    this.line(printableJson(value));
  }

  /** Resolves when there is room for more. Rejects with a `ReaderGone`, an `Interrupted`, or the error of the stream. */
  async room(): Promise<void> {
    this.#stop.throwIfAborted();
    if (!this.#full) return;
    try {
      await once(this.#stream, 'drain', { signal: this.#stop });
    } catch (error) {
      this.#stop.throwIfAborted();
      throw error;
    }
  }

  /** Resolves when everything is written. Rejects as `room`. */
  async flush(): Promise<void> {
    this.#stop.throwIfAborted();
    await new Promise<void>((resolve) => {
      this.#stop.addEventListener('abort', () => resolve(), { once: true });
      this.#stream.write('', () => resolve());
    });
    this.#stop.throwIfAborted();
  }
}
