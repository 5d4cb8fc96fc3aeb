import type { Config } from '../config/index.js';
import type { Failure, Operations } from '../fs/operations/index.js';
import type { OpenedStores } from '../store/open.js';
import type { Io } from './io.js';
import type { Output } from './output.js';

/** The context of a command. */
export interface Session {
  readonly operations: Operations;
  readonly stores: OpenedStores;
  readonly config: Config;
  readonly out: Output;
  /** Standard error, for people: progress and summaries. */
  readonly err: Output;
  readonly io: Io;
  /** Whether results are lines of JSON. */
  readonly json: boolean;
  readonly quiet: boolean;
  /** Aborted by an interrupt, or when the reader of the output exits. */
  readonly stop: AbortSignal;
  /** Reports an error and continues. */
  report(error: unknown): void;
  /** Reports an entry that was skipped. */
  readonly warn: (skipped: Failure) => void;
}

/** Runs a command: opens what it needs, reports errors, and closes. */
export type Start = (work: (session: Session) => Promise<void>) => Promise<void>;
