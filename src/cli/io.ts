import type { Readable, Writable } from 'node:stream';
import type { OpenedStores, OpenStoresOptions } from '../store/open.js';

/** A stream that may be a terminal. */
export type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a command sees of the world: the process's own in `index.ts`, others in tests. */
export interface Io {
  readonly stdin: Readable;
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  /** Aborted with an `Interrupted` when the user wants no more. */
  readonly interrupt: AbortSignal;
  /** Default: stores of every scheme. */
  readonly openStores?: (options: OpenStoresOptions) => OpenedStores;
  /** Milliseconds since some start, for rates. Default: the machine's monotonic clock. */
  readonly now?: () => number;
}
