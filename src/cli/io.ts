import type { Readable, Writable } from 'node:stream';
import type { OpenedStores, OpenStoresOptions } from '../store/open.js';

/** A stream that may be a terminal. */
export type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** The environment of a command: the process's own in `main.ts`, others in tests. */
export interface Io {
  readonly stdin: Readable;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  /** Aborted with an `Interrupted` by SIGINT or SIGTERM. */
  readonly interrupt: AbortSignal;
  /** Default: stores of every scheme. */
  readonly openStores?: (options: OpenStoresOptions) => OpenedStores;
  /** Monotonic time in milliseconds, for rates. Default: the machine's monotonic clock. */
  readonly now?: () => number;
}
