import type { CellPath } from '../cells.js';
import { StateError, type StatePlace } from '../errors.js';
import { Unstorable } from './isolate.js';
import { rangeText, type KeyGroupRange } from '../keys/keyGroups.js';
import { KeyReader, userKey, type Key, type StoredKey } from '../keys/keys.js';

/** The error for a value that a state cannot hold; returns other errors unchanged. */
export function refusal(
  error: unknown,
  { operator, state }: StatePlace,
  key: StoredKey | undefined,
  path?: CellPath,
): unknown {
  if (!(error instanceof Unstorable)) return error;
  return unsupported(
    `State ${state} of operator ${operator} cannot hold what is set for ${key === undefined ? 'a key' : `key ${keyText(key)}`}${path === undefined ? '' : pathText(path)}`,
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

/** Where in the state of a key a cell is. */
function pathText({ namespace, subKey }: CellPath): string {
  const text = (bytes: Uint8Array): string => textOf(new KeyReader(bytes).value());
  const space = namespace.length === 0 ? '' : `, namespace ${text(namespace)}`;
  return subKey.length === 0 ? space : `${space}, entry ${text(subKey)}`;
}

const longest = 80;

/** A key for messages: control characters escaped, truncated if long. */
export const keyText = (key: StoredKey): string => textOf(userKey(key));

function textOf(value: Key): string {
  if (typeof value === 'bigint') return cut(`${value}n`);
  const given = typeof value === 'string' ? value.slice(0, longest) : value;
  return cut(JSON.stringify(given, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part)));
}

const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text);
