import type { SourceProgress } from '../store/observe/sourceProgress.js';

/** Events of sources. `operator` is the source's id. */
export type SourceEvent =
  SkippedEvent | InputSkippedEvent | InputChangedEvent | NotReadEvent | DiscoveryFailedEvent;

/**
 * How far a source has come. Reported at most once a second for each source, when it has changed, and at its end. Sources
 * without `SourceReader.progress` report none.
 */
export type ProgressEvent = SourceProgress & {
  readonly type: 'progress';
  readonly operator: string;
};

export type SkippedEvent = {
  /** Malformed records were skipped. Reported once per slice of input, with the last one as an example. */
  readonly type: 'skipped';
  readonly operator: string;
  /** URI of the object. */
  readonly object: string;
  /** Byte offset in the (decompressed) object. */
  readonly offset: number;
  /** 1-based; 0 where it is not known, as in `DeadLetter`. */
  readonly line: number;
  readonly reason: string;
  /** Records skipped so far, over the job's life. */
  readonly count: number;
};

/**
 * A matching object was skipped: it cannot be read (`unreadable: 'skip'`), or was deleted before it was read to its end (`vanished: 'skip'`).
 * The former is reported once while it stays as it is: a continuous source reports it again after a restart, or when a listing in between
 * has not found it, or with another reason. It remembers 10,000 for each URI, and reports any others at every listing.
 */
export type InputSkippedEvent = {
  readonly type: 'input-skipped';
  readonly operator: string;
  /** Its URI. */
  readonly object: string;
  readonly reason: string;
};

/**
 * An object that a continuous source has read was replaced or written to, and is not read again, because of `changed: 'ignore'`.
 * Once for each object and attempt.
 */
export type InputChangedEvent = {
  readonly type: 'input-changed';
  readonly operator: string;
  /** Its URI. */
  readonly object: string;
  /** The number of such objects in this attempt. */
  readonly count: number;
};

/** A finished source has new input, which is not read. Reported once per attempt. */
export type NotReadEvent = {
  readonly type: 'input-not-read';
  readonly operator: string;
  /** The number of new objects on one page of a listing. */
  readonly objects: number;
  /** Whether there may be more. */
  readonly more: boolean;
  /** URI of the first. */
  readonly object: string;
  /** What happened, and what to do. */
  readonly message: string;
};

/** A continuous source could not look for new objects, or its hints failed. It continues. */
export type DiscoveryFailedEvent = {
  readonly type: 'discovery-failed';
  readonly operator: string;
  readonly error: unknown;
  /** Milliseconds until the request is repeated; absent if it is not. */
  readonly delayMs?: number;
  /** What happened. */
  readonly message: string;
};
