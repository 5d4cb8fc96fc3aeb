import type { Config } from '../config/index.js';
import type { Failure, Operations } from '../fs/operations/index.js';
import type { OpenedStores } from '../store/open.js';
import type { Io } from './io.js';
import type { Output } from './output.js';

/** What a command works with. */
export interface Session {
  readonly operations: Operations;
  readonly stores: OpenedStores;
  readonly config: Config;
  readonly out: Output;
  /** For people: progress and what was done. */
  readonly err: Output;
  readonly io: Io;
  /** Results as lines of JSON. */
  readonly json: boolean;
  readonly quiet: boolean;
  /** Aborted when nobody wants any more: an interrupt, or a reader that has gone. */
  readonly stop: AbortSignal;
  /** Tells of an error, and goes on. */
  report(error: unknown): void;
  /** Tells of something that was left out as it was asked for. */
  readonly warn: (skipped: Failure) => void;
}

/** Runs a command's work: opens what it needs, tells of its errors, closes. */
export type Start = (work: (session: Session) => Promise<void>) => Promise<void>;
