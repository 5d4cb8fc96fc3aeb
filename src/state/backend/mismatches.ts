import { StateError } from '../errors.js';
import type { StoredKey } from '../keys/keys.js';
import { keyText } from '../values/refusals.js';
import { corrupt, type StateSchema } from '../segment/format.js';
import { messagePack } from '../values/serializer.js';
import type { StateSpec } from '../state.js';

export function mismatch(operator: string, what: string, cause?: unknown): StateError {
  return new StateError(
    'StateSchemaMismatch',
    `The state of operator ${operator} does not fit: ${what}`,
    cause === undefined ? {} : { cause },
  );
}

/** Checks that a declared state can read a stored one. Errors: `StateSchemaMismatch`. */
export function checkFit(
  operator: string,
  { name, spec }: { readonly name: string; readonly spec: StateSpec<unknown> },
  { kind, serializer, type }: StateSchema,
): void {
  if (spec.kind !== kind) {
    throw mismatch(
      operator,
      `state ${name} is stored as ${kind} state and declared as ${spec.kind} state. Use another name for the new one.`,
    );
  }
  if (spec.serializer.id !== serializer.id) {
    throw mismatch(
      operator,
      `state ${name} was written by serializer ${serializer.id} (version ${serializer.version}) and is declared with ${spec.serializer.id} (version ${spec.serializer.version}). Declare it with the serializer that wrote it, or use another name for the new one. To change the bytes, keep the id of a serializer and raise its version.`,
    );
  }
  if (spec.serializer.version < serializer.version) {
    throw mismatch(
      operator,
      `state ${name} was written by version ${serializer.version} of serializer ${serializer.id}, which has version ${spec.serializer.version} here. Run the later code.`,
    );
  }
  if (type !== undefined && spec.type !== undefined && spec.type !== type) {
    throw mismatch(
      operator,
      `state ${name} is stored as state that holds values of type ${type} and declared with an initial value of type ${spec.type}. Use another name for the new one; if it is to hold both, declare it with the initial value \`null\`.`,
    );
  }
}

/** The error for a stored value that cannot be decoded. */
export function unreadable(
  operator: string,
  name: string,
  { serializer: { id, version } }: StateSchema,
  key: StoredKey,
  object: string,
  cause: unknown,
): unknown {
  if (cause instanceof StateError) return cause;
  if (id === messagePack.id) return corrupt(object, `a value of state ${name} cannot be decoded`, cause);
  return mismatch(
    operator,
    `serializer ${id} fails on what its version ${version} wrote for key ${keyText(key)} of state ${name}. Let it read what earlier code wrote: raise its version whenever the bytes change, and go by the version that \`decode\` is given.`,
    cause,
  );
}
