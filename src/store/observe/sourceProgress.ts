/** How far sources have come, and its channel: what metrics show of the sources of jobs. */
import { channel } from 'node:diagnostics_channel';

/** Objects, and their bytes as the store holds them: those of compressed objects are not decompressed. */
export type InputAmount = {
  readonly objects: number;
  readonly bytes: number;
};

/** How far a source has come. */
export type SourceProgress = {
  /** The objects that were found. Those that vanished before they were read are not among them. */
  readonly listed: InputAmount;
  /** Objects read to their end, and all bytes that were read, over the job's life. */
  readonly read: InputAmount;
  /** `listed` without `read`: objects that are not read to their end. */
  readonly left: InputAmount;
  /**
   * Whether a listing has come to its end. Until then `listed` and `left` are lower bounds. Of a continuous source: since a
   * complete listing in this attempt.
   */
  readonly complete: boolean;
  /** Requests of the discovery since the attempt's start. A request with retries counts as one. */
  readonly requests: { readonly list: number; readonly head: number };
  /** Of a continuous source. */
  readonly lag?: SourceLag;
};

/** How far a continuous source lags behind what is written. Milliseconds. */
export type SourceLag = {
  /** Age of the oldest object that is `left`, by the server's dates; absent if nothing is left. */
  readonly oldestMs?: number;
  /**
   * The time since the start of the last complete listing, which found everything that existed then. Before the first one of an
   * attempt: since the attempt's start.
   */
  readonly listingMs: number;
};

/** On `millrace:source:progress`: at most once a second for each source, and when it is closed. */
export interface ProgressMessage {
  /** The job's name. */
  readonly job: string;
  /** The source's id. */
  readonly source: string;
  /** `undefined`: the attempt is over. */
  readonly progress: SourceProgress | undefined;
}

/** The channel of {@link ProgressMessage}. */
export const progressChannel = channel('millrace:source:progress');
