import { crc32 } from 'node:zlib';
import { isDeeper } from '../formats/depth.js';
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
import { CheckpointError } from './errors.js';
import type { Manifest } from './manifest.js';
import { signatureOf } from './signature.js';

/**
 * A manifest as bytes: one header line, `millrace-manifest <version> <crc32 of the rest, 8 hex digits>`, then JSON.
 * If the job has a key, the header ends with the signature of the rest, 64 hex digits (`signature.ts`). The version
 * is outside the JSON, so that a reader recognizes a newer format before it parses.
 */
const magic = 'millrace-manifest';
const version = 1;

/** Limits of size (bytes) and nesting, so that a manifest can be parsed and written again within memory and stack. */
export const largest = 64 * 2 ** 20;
const deepest = 1000;

/**
 * Errors: `ManifestTooLarge`.
 *
 * @param key signs it
 */
export function encodeManifest(manifest: Manifest, key?: string): Buffer {
  const json = jsonOf(manifest);
  const signed = key === undefined ? '' : ` ${signatureOf(json, key)}`;
  return Buffer.concat([Buffer.from(`${magic} ${version} ${checksum(json)}${signed}\n`), json]);
}

function jsonOf(manifest: Manifest): Buffer {
  let text: string;
  try {
    text = JSON.stringify(manifest);
  } catch (cause) {
    // Other errors, such as a value that JSON cannot hold, are not about size.
    if (!(cause instanceof RangeError)) throw cause;
    throw tooLarge(cause);
  }
  const json = Buffer.from(text);
  if (json.length > largest - 128 || isDeeper(text, deepest)) throw tooLarge();
  return json;
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
  if (bytes.length > largest) throw corrupt(where, `it has more than ${largest} bytes`);
  const newline = bytes.subarray(0, 128).indexOf(0x0a);
  const header = /^millrace-manifest ([1-9]\d*) ([0-9a-f]{8})(?: ([0-9a-f]{64}))?$/.exec(
    bytes.toString('latin1', 0, Math.max(newline, 0)),
  );
  if (header === null) throw corrupt(where, 'it does not start with the header of a manifest');
  if (Number(header[1]) > version) throw tooNew(where, Number(header[1]));
  const json = bytes.subarray(newline + 1);
  if (checksum(json) !== header[2]) throw corrupt(where, 'its checksum does not match');
  verify(json, header[3]);
  const text = json.toString();
  if (isDeeper(text, deepest)) throw corrupt(where, `it is nested more than ${deepest} deep`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw corrupt(where, 'it is not JSON', cause);
  }
  const flaw = flawOf(value);
  if (flaw !== undefined) throw corrupt(where, flaw);
  return value as Manifest;
}

function checksum(bytes: Buffer): string {
  return crc32(bytes).toString(16).padStart(8, '0');
}

function corrupt(where: string, why: string, cause?: unknown): CheckpointError {
  return new CheckpointError(
    'ManifestCorrupt',
    `The manifest ${where} is corrupt: ${why}. Nothing was changed. Restore the object from a version or backup of the bucket; if there is none, start the job under a new name or in another checkpoint directory.`,
    { cause },
  );
}

function tooNew(where: string, found: number): CheckpointError {
  return new CheckpointError(
    'ManifestTooNew',
    `The manifest ${where} has version ${found}; this millrace reads up to ${version}. Nothing was changed. Run the job with the newer millrace that wrote it.`,
  );
}

function tooLarge(cause?: unknown): CheckpointError {
  return new CheckpointError(
    'ManifestTooLarge',
    `The checkpoint needs a manifest of more than ${largest / 2 ** 20} MiB, or one nested more than ${deepest} deep, which could not be restored. Nothing was written. Let operators snapshot less, or keep it in keyed state; let sinks have fewer files open at a time.`,
    cause === undefined ? {} : { cause },
  );
}

const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const keys = listOf(isString);
const committable = fields({ uid: isString, objects: optional(keys) });
const pending = listOf(fields({ sink: isString, committable }));
const operator = fields({
  kind: oneOf('source', 'operator', 'sink'),
  open: listOf(committable),
  objects: keys,
});

const shapes: Readonly<Record<keyof Manifest, Shape>> = {
  version: (value) => value === version,
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
  dir: optional(isString),
  revokes: optional(pending),
};

function flawOf(value: unknown): string | undefined {
  if (!isRecord(value)) return 'it is not a JSON object';
  const wrong = Object.entries(shapes).find(([field, shape]) => !shape(value[field]));
  return wrong && `its field ${wrong[0]} is missing or malformed`;
}
