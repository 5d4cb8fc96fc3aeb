import type { Committable } from '../flow/index.js';
import type { KeyGroupRange } from '../state/index.js';
import type { Entropy } from './dataPlace.js';
import { emptyInventory, type Draft, type Inventory } from './inventory.js';
import type { Manifest } from './manifest.js';

/** The state of one attempt's log. The protocol is in `manifestLog.ts`. */
export interface LogState {
  readonly phase:
    | 'idle'
    | 'listing'
    | 'reading'
    | 'adopting'
    | 'writing'
    | 'comparing'
    | 'verifying'
    | 'identifying'
    | 'owned'
    | 'fenced'
    | 'failed';
  readonly self: Self;
  /** Put-ids assigned so far. */
  readonly serial: number;
  /** The newest entry known to be in the log: the attempt's own, or the one that it claims on top of. */
  readonly last: Entry | undefined;
  readonly issued: Issued | undefined;
  readonly next: Draft | undefined;
  readonly inventory: Inventory;
  readonly rules: LogRules;
}

export interface Self {
  readonly job: string;
  /** For the first claim of a log. */
  readonly jobId: string;
  /** The URI of the log's directory, where manifests are signed. */
  readonly dir?: string | undefined;
  /** Unique to this attempt; part of its put-ids. */
  readonly nonce: string;
  /** Number of checkpoints to keep. */
  readonly retained: number;
  /** For the first claim of a log. */
  readonly entropy?: Entropy | undefined;
  /** The savepoints that the log begins with, as in {@link SavepointOrigin}. */
  readonly from?: readonly string[] | undefined;
  /** The key groups whose state the log has. */
  readonly keyGroups?: KeyGroupRange | undefined;
}

export interface Entry {
  readonly manifest: Manifest;
  readonly etag: string;
}

export interface Issued {
  readonly manifest: Manifest;
  readonly etag: string | undefined;
  /** How often the PUT's outcome was in doubt. */
  readonly doubts: number;
}

export interface Listed {
  readonly n: number;
  readonly etag: string;
}

export type LogEvent =
  | { readonly type: 'start' }
  | { readonly type: 'listed'; readonly entries: readonly Listed[] }
  /** `entry` is `undefined` if the slot is empty. */
  | { readonly type: 'got'; readonly entry: Entry | undefined }
  | { readonly type: 'unreadable'; readonly error: unknown }
  /** The objects of the savepoints are copied. */
  | { readonly type: 'adopted'; readonly draft: Draft }
  | { readonly type: 'created'; readonly etag: string }
  | { readonly type: 'taken' }
  | { readonly type: 'in-doubt' }
  | { readonly type: 'refused'; readonly error: unknown }
  /** The store breaks its contract: the PUT's outcome stays unknown, as after a crash. */
  | { readonly type: 'unanswered'; readonly error: unknown }
  | { readonly type: 'write'; readonly draft: Draft }
  | {
      readonly type: 'closed';
      readonly sink: string;
      readonly committables: readonly Committable[];
      readonly checkpoint: number;
    }
  | { readonly type: 'named'; readonly objects: Iterable<string>; readonly checkpoint: number }
  | { readonly type: 'confirm'; readonly sink: string; readonly uid: string }
  | {
      readonly type: 'amend';
      readonly sink: string;
      readonly committable: Committable;
      readonly alone?: boolean;
    }
  | { readonly type: 'deleted'; readonly keys: readonly string[]; readonly failed: readonly string[] }
  /** The current savepoint is over: what it pinned may become garbage. */
  | { readonly type: 'unpin' };

export type LogEffect =
  | { readonly type: 'list'; readonly from: number }
  | { readonly type: 'get'; readonly n: number }
  /** Copy the objects of the savepoints that the log begins with. */
  | { readonly type: 'adopt' }
  /** `doubts`: how often the outcome was in doubt; the driver backs off accordingly. */
  | { readonly type: 'put'; readonly manifest: Manifest; readonly doubts: number }
  | { readonly type: 'claimed'; readonly manifest: Manifest; readonly parent: Manifest | undefined }
  | { readonly type: 'durable'; readonly manifest: Manifest }
  | { readonly type: 'subsumed'; readonly checkpoint: number; readonly by: number }
  | { readonly type: 'delete'; readonly keys: readonly string[] }
  | { readonly type: 'fenced'; readonly n: number }
  | { readonly type: 'failed'; readonly error: unknown };

/** The effects that are requests to the store. */
export type LogRequest = Extract<LogEffect, { readonly type: 'list' | 'get' | 'put' | 'delete' | 'adopt' }>;

/**
 * The rules of `manifestLog.ts`. All are on; the model checker turns off one at a time, to see the protocol break.
 */
export interface LogRules {
  /** Off: the barrier's id decides the slot. */
  readonly numberAtIssue: boolean;
  /** Off: an entry holds only the committables of its own checkpoint. */
  readonly carryPending: boolean;
  /** Off: a created claim is accepted without verification. */
  readonly verifyClaim: boolean;
  /** Off: a created checkpoint is accepted without verification. */
  readonly verifyEntry: boolean;
  /** Off: a PUT in doubt counts as failed, and its objects are deleted. */
  readonly repeatInDoubt: boolean;
  /** Off: what a savepoint copies may become garbage meanwhile. */
  readonly pin: boolean;
}

export const logRules: LogRules = {
  numberAtIssue: true,
  carryPending: true,
  verifyClaim: true,
  verifyEntry: true,
  repeatInDoubt: true,
  pin: true,
};

export interface Step {
  readonly state: LogState;
  readonly effects: readonly LogEffect[];
}

export function initialLog(self: Self, rules: Partial<LogRules> = {}): LogState {
  return {
    phase: 'idle',
    self,
    serial: 0,
    last: undefined,
    issued: undefined,
    next: undefined,
    inventory: emptyInventory,
    rules: { ...logRules, ...rules },
  };
}
