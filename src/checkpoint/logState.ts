import type { Committable } from '../flow/index.js';
import type { Entropy } from './dataPlace.js';
import { emptyLedger, type Draft, type Ledger } from './ledger.js';
import type { Manifest } from './manifest.js';
import { allRules, type Rules } from './rules.js';

/** Where one attempt stands with its job's log; `manifestLog.ts` tells the story. */
export interface LogState {
  readonly phase:
    | 'idle'
    | 'listing'
    | 'reading'
    | 'writing'
    | 'comparing'
    | 'verifying'
    | 'identifying'
    | 'owned'
    | 'fenced'
    | 'failed';
  readonly self: Self;
  /** Put-ids given out. */
  readonly serial: number;
  /** The newest entry that this attempt knows to stand: its own, or the one it claims on top of. */
  readonly last: Entry | undefined;
  readonly issued: Issued | undefined;
  readonly next: Draft | undefined;
  readonly ledger: Ledger;
  readonly rules: Rules;
}

export interface Self {
  readonly job: string;
  /** For the first claim of a log. */
  readonly jobId: string;
  /** The URI of the log's directory, where manifests are signed. */
  readonly dir?: string | undefined;
  /** Unique to this attempt: put-ids are made of it. */
  readonly nonce: string;
  /** Checkpoints kept to be restored from. */
  readonly retained: number;
  /** For the first claim of a log. */
  readonly entropy?: Entropy | undefined;
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
  | { readonly type: 'created'; readonly etag: string }
  | { readonly type: 'taken' }
  | { readonly type: 'in-doubt' }
  | { readonly type: 'refused'; readonly error: unknown }
  | { readonly type: 'write'; readonly draft: Draft }
  | {
      readonly type: 'closed';
      readonly sink: string;
      readonly committables: readonly Committable[];
      readonly checkpoint: number;
    }
  | { readonly type: 'named'; readonly objects: Iterable<string>; readonly checkpoint: number }
  | { readonly type: 'confirm'; readonly sink: string; readonly uid: string }
  | { readonly type: 'amend'; readonly sink: string; readonly committable: Committable }
  | { readonly type: 'deleted'; readonly keys: readonly string[]; readonly failed: readonly string[] };

export type LogEffect =
  | { readonly type: 'list'; readonly from: number }
  | { readonly type: 'get'; readonly n: number }
  /** The nth time in doubt; the driver backs off accordingly. */
  | { readonly type: 'put'; readonly manifest: Manifest; readonly doubts: number }
  | { readonly type: 'claimed'; readonly manifest: Manifest; readonly parent: Manifest | undefined }
  | { readonly type: 'durable'; readonly manifest: Manifest }
  | { readonly type: 'subsumed'; readonly checkpoint: number; readonly by: number }
  | { readonly type: 'delete'; readonly keys: readonly string[] }
  | { readonly type: 'fenced'; readonly n: number }
  | { readonly type: 'failed'; readonly error: unknown };

export interface Step {
  readonly state: LogState;
  readonly effects: readonly LogEffect[];
}

export function initial(self: Self, rules: Partial<Rules> = {}): LogState {
  return {
    phase: 'idle',
    self,
    serial: 0,
    last: undefined,
    issued: undefined,
    next: undefined,
    ledger: emptyLedger,
    rules: { ...allRules, ...rules },
  };
}
