import { Service } from './attempt.js';

/** One holder of memory: a source's read-ahead, the records that it has in flight, a sink's buffers. */
export interface MemoryUse {
  /** Its name in errors: `sink 'out'`. */
  readonly who: string;
  /** Bytes without which it cannot work. */
  readonly least: number;
  /** Bytes that it can use. */
  readonly most: number;
  /** `limit` has changed. Must not throw. */
  readonly changed: () => void;
}

/** A holder's current share. */
export interface MemoryShare {
  /** Bytes. 0 until its least is granted, and never below its least after that. */
  readonly limit: number;
  /** Reports what is held after memory was given back. Only a share that was reduced needs to hear of it. */
  holds(bytes: number): void;
  /** Nothing is held any more. Idempotent. The end of the attempt does it for all. */
  leave(): void;
}

/** Memory that cannot be given back, such as keyed state. Shares divide what it leaves, and always get their least. */
export interface MemoryCharge {
  /** What is held now. Bytes. */
  set(bytes: number): void;
  /** Nothing is held any more. Idempotent. The end of the attempt does it for all. */
  leave(): void;
}

/** The memory of an attempt: its part of what the process has for all of its jobs. */
export interface Memory {
  /**
   * Asks for a share. Call it on `Open`, or when a source is opened: no record comes before every share of the attempt has
   * its least. Errors: `MemoryTooSmall`.
   */
  share(use: MemoryUse): MemoryShare;
  /** Counts memory that is taken in any case. It starts at 0 and never waits. */
  charge(): MemoryCharge;
}

/** What holds memory without an attempt: the readers of a client, a copy, a writer. */
export interface AllowanceUse {
  /** Its name in errors: `a copy`. */
  readonly who: string;
  /** Bytes that it needs for progress, and takes in any case. */
  readonly floor: number;
  /** Bytes that it can use, the floor included. */
  readonly most: number;
  /** `limit` has changed. Must not throw. */
  readonly changed: () => void;
}

/** Memory of the process's budget that never waits: its floor is a charge, and the rest is a share. */
export interface Allowance {
  /** Bytes, never below the floor. */
  readonly limit: number;
  /** Reports what is held, whenever that has changed. */
  holds(bytes: number): void;
  /** Nothing is held any more. Idempotent. */
  leave(): void;
}

/** Errors: `MemoryTooSmall` if the memory of this process is less than its jobs need at least. */
export type Allow = (use: AllowanceUse) => Allowance;

/** Without a budget, as in tests, all may have what they can use. */
export const unlimited: Allow = ({ most }) => ({
  limit: most,
  holds: () => undefined,
  leave: () => undefined,
});

/** Without a budget, as in tests, every share is as large as its holder asks for. */
const uncounted: Memory = {
  share: ({ most }) => ({ limit: most, holds: () => undefined, leave: () => undefined }),
  charge: () => ({ set: () => undefined, leave: () => undefined }),
};

/** Memory as operators, sources and sinks ask for it. */
export const memory = new Service<Memory>('millrace.memory', () => uncounted);
