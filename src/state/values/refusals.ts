import { StateError } from '../errors.js';
import { Unstorable } from './isolate.js';
import { rangeText, type KeyGroupRange } from '../keys/keyGroups.js';
import { userKey, type StoredKey } from '../keys/keys.js';

/** Identifies a state in errors. */
export interface StatePlace {
  readonly operator: string;
  readonly state: string;
}

/** The error for a value that a state cannot hold; returns other errors unchanged. */
export function refusal(
  error: unknown,
  { operator, state }: StatePlace,
  key: StoredKey | undefined,
): unknown {
  if (!(error instanceof Unstorable)) return error;
  return unsupported(
    `State ${state} of operator ${operator} cannot hold what is set for ${key === undefined ? 'a key' : `key ${keyText(key)}`}`,
    error,
  );
}

/** The same for an initial value. */
export function initialRefusal(error: unknown): unknown {
  if (!(error instanceof Unstorable)) return error;
  return unsupported('A state cannot hold its initial value', error);
}

function unsupported(what: string, { what: why, cause }: Unstorable): StateError {
  return new StateError(
    'UnsupportedValue',
    `${what}: it ${why}. Keep plain data (dates, maps, sets and binary data included), or give the state a \`serializer\` that brings back what it is given.`,
    cause === undefined ? {} : { cause },
  );
}

/** The error for a key that belongs to another process. */
export function outsideRange(
  operator: string,
  key: StoredKey,
  group: number,
  keyGroups: KeyGroupRange,
): StateError {
  return new StateError(
    'KeyOutsideRange',
    `Operator ${operator} got a record with key ${keyText(key)}, which is in key group ${group}, and has the state of ${rangeText(keyGroups)} only. Send each record to the job that has its key group: keyGroupOf(key) returns the group of a key, and records(filter(…)) leaves others out.`,
  );
}

/** The error for an operator with one state for all records, in a job that has a part of the keys. */
export function notWhole(operator: string, keyGroups: KeyGroupRange): StateError {
  return new StateError(
    'KeyOutsideRange',
    `Operator ${operator} has one state for all records, and its job has ${rangeText(keyGroups)} only. Use an operator by key, such as scanByKey, or run it in a job without \`keyGroups\`.`,
  );
}

const longest = 80;

/** A key for messages: control characters escaped, truncated if long. */
export function keyText(key: StoredKey): string {
  const value = userKey(key);
  if (typeof value === 'bigint') return cut(`${value}n`);
  const given = typeof value === 'string' ? value.slice(0, longest) : value;
  return cut(JSON.stringify(given, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part)));
}

const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text);
