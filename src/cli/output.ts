import { once } from 'node:events';
import type { Terminal } from './io.js';
import { ReaderGone } from './exit.js';
import { printable, printableJson } from './render/text.js';

/**
 * What is written for others to read, at their pace. A reader that goes away (`millrace cat … | head`) aborts `gone`, with
 * a `ReaderGone`; what is written after that is dropped.
 */
export class Output {
  readonly isTerminal: boolean;
  readonly #stream: Terminal;
  /** Aborted by `gone`, and by an interrupt: a reader may stand still for ever. */
  readonly #stop: AbortSignal;
  readonly #gone = new AbortController();
  #full = false;
  /** Makes room on a terminal, where a bar is in the way of lines. */
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

  /** Whatever the text is made of, it is one line, and moves no cursor. */
  line(text: string): void {
    this.beforeLine?.();
    this.write(`${printable(text)}\n`);
  }

  /** One line of JSON. */
  record(value: unknown): void {
    this.line(printableJson(value));
  }

  /** Resolves when there is room for more. Rejects with a `ReaderGone`, an `Interrupted`, or what else went wrong. */
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

  /** Resolves when everything has been taken. Rejects as `room`. */
  async flush(): Promise<void> {
    this.#stop.throwIfAborted();
    await new Promise<void>((resolve) => {
      this.#stop.addEventListener('abort', () => resolve(), { once: true });
      this.#stream.write('', () => resolve());
    });
    this.#stop.throwIfAborted();
  }
}
