import {
  fields,
  isCount,
  isRecord,
  isString,
  listOf,
  nullable,
  oneOf,
  optional,
  type Shape,
} from '../shape.js';
import { CheckpointError, manifestCorrupt } from './errors.js';
import type { Manifest } from './manifest.js';
import { decodeSigned, deepest, encodeSigned, largest, type SignedFormat } from './signedJson.js';

/** A manifest as bytes. Errors: `ManifestCorrupt`, `ManifestTooNew`, `ManifestTooLarge`. */
const format: SignedFormat = {
  magic: 'millrace-manifest',
  version: 1,
  corrupt: (where, why, cause) => manifestCorrupt(`The manifest ${where} is corrupt: ${why}.`, cause),
  tooNew: (where, found) =>
    new CheckpointError(
      'ManifestTooNew',
      `The manifest ${where} has version ${found}; this millrace reads up to 1. Nothing was changed. Run the job with the newer millrace that wrote it.`,
    ),
  tooLarge: (cause) =>
    new CheckpointError(
      'ManifestTooLarge',
      `The checkpoint needs a manifest of more than ${largest / 2 ** 20} MiB, or one nested more than ${deepest} deep, which could not be restored. Nothing was written. Let operators snapshot less, or keep it in keyed state; let sinks have fewer files open at a time.`,
      cause === undefined ? {} : { cause },
    ),
};

/**
 * Errors: `ManifestTooLarge`.
 *
 * @param key signs it
 */
export function encodeManifest(manifest: Manifest, key?: string): Buffer {
  return encodeSigned(format, manifest, key);
}

/**
 * Errors: `ManifestCorrupt`, `ManifestTooNew`, and those of `verify`, which is called with the JSON before it is parsed.
 *
 * @param where a URI, for messages
 */
export function decodeManifest(
  bytes: Buffer,
  where: string,
  verify: (json: Buffer, signature: string | undefined) => void = () => undefined,
): Manifest {
  const value = decodeSigned(format, bytes, where, verify);
  const flaw = manifestFlaw(value);
  if (flaw !== undefined) throw format.corrupt(where, flaw);
  return value as Manifest;
}

const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const keys = listOf(isString);
const committable = fields({ uid: isString, objects: optional(keys) });
const pending = listOf(fields({ sink: isString, committable }));
const operator = fields({
  kind: oneOf('source', 'operator', 'sink'),
  open: listOf(committable),
  objects: keys,
  ended: optional(isFlag),
});

const shapes: Readonly<Record<keyof Manifest, Shape>> = {
  version: (value) => value === format.version,
  jobId: isString,
  job: isString,
  n: (value) => isCount(value) && value !== 0,
  prev: nullable(fields({ n: isCount, putId: isString })),
  parent: nullable(isCount),
  epoch: isCount,
  putId: isString,
  kind: oneOf('claim', 'checkpoint', 'savepoint', 'rewind'),
  checkpoint: isCount,
  at: (value) => Number.isFinite(value),
  entropy: optional(fields({ at: isCount, name: isFlag, values: listOf(isString) })),
  operators: (value) => isRecord(value) && Object.values(value).every(operator),
  pending,
  garbage: keys,
  retained: listOf(fields({ n: isCount, putId: isString, checkpoint: isCount, objects: keys })),
  finished: optional(isFlag),
  savepoint: optional(isString),
  keyGroups: optional(fields({ first: isCount, last: isCount })),
  from: optional(fields({ uris: keys, checkpoint: isCount })),
  dir: optional(isString),
  revokes: optional(pending),
};

/** Describes what is malformed in a manifest; `undefined` if nothing is. */
export function manifestFlaw(value: unknown): string | undefined {
  if (!isRecord(value)) return 'it is not a JSON object';
  const wrong = Object.entries(shapes).find(([field, shape]) => !shape(value[field]));
  return wrong && `its field ${wrong[0]} is missing or malformed`;
}
