import { MillraceError } from '../../errors.js';
import type { Committable } from '../../flow/index.js';
import type { TwoPhaseKind } from './kind.js';

/** Encodes a committable for manifests, with its kind and version. */
export function encodeCommittable<C>(
  kind: Pick<TwoPhaseKind<C>, 'name' | 'version' | 'encode'>,
  committable: C,
): Committable {
  return { kind: kind.name, version: kind.version, ...kind.encode(committable) };
}

/** Decodes a result of {@link encodeCommittable}. Errors: `InvalidCommittable`. */
export function decodeCommittable<C>(
  kind: Pick<TwoPhaseKind<C>, 'name' | 'version' | 'shapes' | 'decode'>,
  stored: Committable,
): C {
  const { uid } = stored;
  if (stored['kind'] !== kind.name)
    throw invalid(
      uid,
      `it is of kind ${JSON.stringify(stored['kind'])}, but the sink with its id publishes '${kind.name}'`,
      'Give a sink of another kind its own id',
    );
  const bad = (why: string): MillraceError =>
    invalid(uid, why, 'Run the version of millrace that wrote it, or one that reads both');
  if (stored['version'] !== kind.version)
    throw bad(
      `it has version ${JSON.stringify(stored['version'])}, but this millrace reads version ${kind.version}`,
    );
  const malformed = Object.entries(kind.shapes).find(([name, shape]) => !shape(stored[name]));
  if (malformed !== undefined) throw bad(`its field ${malformed[0]} is missing or malformed`);
  return kind.decode(stored, bad);
}

function invalid(uid: string, why: string, advice: string): MillraceError {
  return new MillraceError(
    'InvalidCommittable',
    `The checkpoint's committable ${uid} cannot be published: ${why}. ${advice}.`,
  );
}
