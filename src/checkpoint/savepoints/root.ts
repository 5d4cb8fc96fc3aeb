import { ForeignName, type Json } from '../../flow/index.js';
import { isCount, isString, listOf, tuple } from '../../shape.js';
import { isDataName, noDataName } from '../dataPlace.js';
import { CheckpointError } from '../errors.js';
import { references, type Manifest, type OperatorState } from '../manifest.js';
import { manifestFlaw } from '../manifestCodec.js';
import { isSignedBy, type Signing } from '../signature.js';
import { decodeSigned, encodeSigned, largest, type SignedFormat } from '../signedJson.js';

/**
 * The root of a savepoint, stored as `root` in its folder: a manifest in which nothing is open, pending or garbage,
 * with the size of each data object. The names of data objects are keys below the folder.
 */
export interface SavepointRoot extends Manifest {
  readonly kind: 'savepoint';
  readonly pending: readonly [];
  /** Name and bytes of each data object. */
  readonly data: readonly (readonly [name: string, bytes: number])[];
}

/** The name of the root in a savepoint's folder. */
export const rootName = 'root';

/** Errors: `SavepointCorrupt` for a savepoint at `where`. */
export function corruptSavepoint(where: string, why: string, cause?: unknown): CheckpointError {
  return new CheckpointError(
    'SavepointCorrupt',
    `The savepoint ${where} is corrupt: ${why}. Nothing was changed. Use another copy of the savepoint, or another savepoint.`,
    { cause },
  );
}

const format: SignedFormat = {
  magic: 'millrace-savepoint',
  version: 1,
  corrupt: corruptSavepoint,
  tooNew: (where, found) =>
    new CheckpointError(
      'SavepointTooNew',
      `The savepoint ${where} has version ${found}; this millrace reads up to 1. Run the newer millrace that wrote it, or a later one.`,
    ),
  tooLarge: (cause) =>
    new CheckpointError(
      'ManifestTooLarge',
      `The savepoint needs a root of more than ${largest / 2 ** 20} MiB. Nothing was written. Let operators snapshot less, or keep it in keyed state.`,
      cause === undefined ? {} : { cause },
    ),
};

/** What is wrong with a data object that is missing or has another size. */
export function wrongSize(name: string, found: number | undefined, bytes: number): string {
  return `its object ${name} ${found === undefined ? 'is missing' : `has ${found} bytes, not ${bytes}`}`;
}

/**
 * The name of a data object in a savepoint, and in the log of a job that starts from it. Names are unique only within
 * a log, so the job's id becomes part of it, after an epoch that no attempt has.
 */
export function savepointName({ jobId }: Pick<Manifest, 'jobId'>, name: string): string {
  return name.startsWith(copiesPrefix) ? name : `${copiesPrefix}${jobId}/${name.slice('data/'.length)}`;
}

/** The names of data objects in savepoints start with this. */
export const copiesPrefix = 'data/0000000000/';

/** The data objects that a savepoint of this entry needs. */
export function objectsOf(manifest: Manifest): readonly string[] {
  return [...references({ operators: restorable(manifest), pending: [] })];
}

/**
 * The root of a savepoint of this entry.
 *
 * @param sizes of {@link objectsOf}, by name
 */
export function rootOf(manifest: Manifest, sizes: ReadonlyMap<string, number>): SavepointRoot {
  const { jobId, job, n, epoch, putId, checkpoint, at, keyGroups, finished } = manifest;
  const names = new Map([...sizes.keys()].map((name) => [name, savepointName(manifest, name)]));
  const operators = Object.entries(restorable(manifest)).map(
    ([id, { snapshot, objects, ...rest }]): [string, OperatorState] => [
      id,
      {
        ...rest,
        ...(snapshot === undefined ? {} : { snapshot: renamed(snapshot, names) }),
        objects: objects.map((name) => names.get(name) ?? name),
      },
    ],
  );
  return {
    ...{
      version: 1,
      jobId,
      job,
      n,
      prev: null,
      parent: null,
      epoch,
      putId,
      kind: 'savepoint',
      checkpoint,
      at,
    },
    operators: Object.fromEntries(operators),
    ...{ pending: [], garbage: [], retained: [] },
    ...(keyGroups === undefined ? {} : { keyGroups }),
    ...(finished === true ? { finished } : {}),
    data: [...sizes].map(([name, bytes]) => [names.get(name) ?? name, bytes]),
  };
}

/** Only a snapshot refers to objects that an operator can restore. */
function restorable({ operators }: Manifest): Readonly<Record<string, OperatorState>> {
  return Object.fromEntries(
    Object.entries(operators).map(([id, state]) => [
      id,
      state.snapshot === undefined ? { kind: state.kind, open: [], objects: [] } : { ...state, open: [] },
    ]),
  );
}

/** Replaces names of data objects in JSON: strings that are keys of `names`. */
function renamed(json: Json, names: ReadonlyMap<string, string>): Json {
  if (typeof json === 'string') return names.get(json) ?? json;
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return (json as readonly Json[]).map((each) => renamed(each, names));
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [key, value === undefined ? value : renamed(value, names)]),
  );
}

/** @param key signs it */
export function encodeRoot(root: SavepointRoot, key?: string): Buffer {
  return encodeSigned(format, root, key);
}

/**
 * Errors: `SavepointCorrupt`, `SavepointTooNew`, `ManifestNotTrusted`, `ForeignName`.
 *
 * @param where the URI of the savepoint, for messages
 */
export function decodeRoot(bytes: Buffer, where: string, sign?: Signing): SavepointRoot {
  const value = decodeSigned(format, bytes, where, (json, signature) => {
    if (sign !== undefined) verify(json, signature, sign, where);
  });
  const flaw = manifestFlaw(value) ?? flawOf(value as Manifest);
  if (flaw !== undefined) throw corruptSavepoint(where, flaw);
  const root = value as SavepointRoot;
  const at = `The savepoint ${where}`;
  if (!/^[\w-]{12}$/.test(root.jobId))
    throw new ForeignName(at, root.jobId, 'not the id of a job', 'Use another copy of the savepoint.');
  for (const [name] of root.data) if (!isDataName(name)) throw noDataName(at, name);
  return root;
}

/** Whether the bytes of a root have a signature, valid or not. */
export function isSigned(bytes: Buffer): boolean {
  return /^[a-z-]+ \d+ [0-9a-f]{8} [0-9a-f]{64}\n/.test(bytes.toString('latin1', 0, 128));
}

const isData = listOf(tuple(isString, isCount));

function flawOf(root: Manifest & { readonly data?: unknown }): string | undefined {
  if (root.kind !== 'savepoint' || root.pending.length > 0) return 'it is not the root of a savepoint';
  if (!isData(root.data)) return 'its field data is missing or malformed';
  if (root.checkpoint > largestNumber) return 'its field checkpoint is too large for a log';
  const there = new Set((root as SavepointRoot).data.map(([name]) => name));
  const missing = objectsOf(root).find((name) => !there.has(name));
  return missing === undefined ? undefined : `it lacks the size of ${missing}`;
}

/** Well below `Number.MAX_SAFE_INTEGER`. */
const largestNumber = 1e15;

function verify(json: Buffer, signature: string | undefined, { keys, accept }: Signing, where: string): void {
  if (signature === undefined ? accept === 'unsigned' : isSignedBy(json, signature, keys, format.magic))
    return;
  throw new CheckpointError(
    'ManifestNotTrusted',
    `The savepoint ${where} is ${signature === undefined ? 'not signed' : 'signed with none of the keys of checkpoints.sign'}, and checkpoints.sign has a key. Nothing was changed. ${
      signature === undefined
        ? "If the job that made it ran without a key, and nobody else can write there, start once with checkpoints.sign.accept: 'unsigned'."
        : 'If it was made with another key, add that to the list, after the first one.'
    }`,
  );
}
