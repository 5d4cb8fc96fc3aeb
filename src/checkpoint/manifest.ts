import type { Committable, Json, Participant } from '../flow/index.js';
import type { KeyGroupRange } from '../state/index.js';
import type { Entropy } from './dataPlace.js';

/** Identifies an entry of a log. A freed slot can be filled again, but never with the same put-id. */
export interface EntryRef {
  readonly n: number;
  readonly putId: string;
}

/** One participant's part of a checkpoint. */
export interface OperatorState {
  readonly kind: Participant['kind'];
  readonly snapshot?: Json;
  /** Work in progress of a sink; a claim moves it to {@link Manifest.pending}. */
  readonly open: readonly Committable[];
  /** Names of data objects. */
  readonly objects: readonly string[];
  /** Of a source: its `End` was sent before the checkpoint. */
  readonly ended?: boolean;
}

/** A committable that its sink has not confirmed yet. */
export interface Pending {
  readonly sink: string;
  readonly committable: Committable;
}

/** An older entry kept for restoring, with the data objects that it needs. */
export interface RetainedEntry extends EntryRef {
  readonly checkpoint: number;
  readonly objects: readonly string[];
}

/** The savepoints that a log began with. */
export interface SavepointOrigin {
  /** Without user info, with a slash at the end of each; sorted. */
  readonly uris: readonly string[];
  /** The highest of their checkpoints, with which the log began. */
  readonly checkpoint: number;
}

export type EntryKind = 'claim' | 'checkpoint' | 'savepoint' | 'rewind';

/** One entry of a job's log: whole, immutable, readable without any other. */
export interface Manifest {
  readonly version: 1;
  readonly jobId: string;
  readonly job: string;
  /** In signed manifests: the URI of the log's directory, so that the signature is valid only there. */
  readonly dir?: string;
  /** The log number: the slot of the entry. Not the checkpoint's id. */
  readonly n: number;
  /** The entry before this one; `null` for the first. */
  readonly prev: EntryRef | null;
  /** The entry whose content this one continues: `prev`, except for a rewind. */
  readonly parent: number | null;
  readonly epoch: number;
  readonly putId: string;
  readonly kind: EntryKind;
  /** The id of its checkpoint; 0 before the first. */
  readonly checkpoint: number;
  /** When it was issued: milliseconds since the epoch. For information only. */
  readonly at: number;
  /** Part of the keys of data objects if the checkpoint directory has a marker for it. */
  readonly entropy?: Entropy;
  readonly operators: Readonly<Record<string, OperatorState>>;
  readonly pending: readonly Pending[];
  /** Names that no later entry refers to: data objects, and log entries. Deleted once this entry is durable. */
  readonly garbage: readonly string[];
  readonly retained: readonly RetainedEntry[];
  /**
   * The input was over at the checkpoint, and operators had flushed what they held. Output may be pending. An attempt
   * that continues from it does not flush them again, unless a source has new input.
   */
  readonly finished?: boolean;
  /** In the entry of a savepoint: the URI of its copy, which may be incomplete. */
  readonly savepoint?: string;
  /** The key groups whose keyed state the log has, in every entry. Absent: all. */
  readonly keyGroups?: KeyGroupRange;
  /** The savepoints that the log began with, in every entry. For information; their objects were copied. */
  readonly from?: SavepointOrigin;
  /** The committables that a rewind revokes. */
  readonly revokes?: readonly Pending[];
}

const digits = 20;

/** The key of entry `n`, below the job's checkpoint directory. */
export function logKey(n: number): string {
  return `log/${String(n).padStart(digits, '0')}`;
}

/** The log number in such a key; `undefined` for anything else. */
export function logNumber(key: string): number | undefined {
  const match = /^log\/(\d{20})$/.exec(key);
  const n = Number(match?.[1]);
  return match !== null && Number.isSafeInteger(n) && n > 0 ? n : undefined;
}

/** Whether entry `n` is obsolete: `newest` and its predecessor are kept, and the entries that it retains. */
export function isStray(n: number, newest: Manifest): boolean {
  return n <= newest.n - 2 && newest.retained.every((entry) => entry.n !== n);
}

/** The data objects needed to restore from this entry. */
export function references(manifest: Pick<Manifest, 'operators' | 'pending'>): Set<string> {
  const keys = new Set<string>();
  const add = (objects: readonly string[] = []): void => {
    for (const key of objects) keys.add(key);
  };
  for (const operator of Object.values(manifest.operators)) {
    add(operator.objects);
    for (const committable of operator.open) add(committable.objects);
  }
  for (const { committable } of manifest.pending) add(committable.objects);
  return keys;
}
