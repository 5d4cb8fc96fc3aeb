import { ForeignName } from '../flow/index.js';
import type { ObjectStore } from '../store/objectStore.js';
import { isDataName, noDataName, type EntropyMark } from './dataPlace.js';
import { CheckpointError, manifestCorrupt } from './errors.js';
import { logKey, logNumber, type Manifest } from './manifest.js';
import { decodeManifest } from './manifestCodec.js';
import { isSignedBy, type Signing } from './signature.js';

/**
 * The content of a bucket is not trusted. A checksum detects an accident, not an attacker: anyone who can write below
 * a job's checkpoint directory can write a well-formed manifest. So everything read from there is checked against
 * what the job may access according to its code and configuration: its own log and data prefix, the stores and
 * folders of its sinks, the patterns of its sources. Any other name is a `ForeignName` error, before any request is
 * made for it.
 *
 * | input | what it could reach | checked by |
 * |---|---|---|
 * | manifest: `job`, `n` | a log that never advances | here: they match the slot |
 * | `jobId`, `epoch`, `checkpoint`, `retained[].n` | live names that sweeps remove, numbers that overflow | here:
 * form and range |
 * | `dir` | a log of another directory | here, if it is signed |
 * | `version`, `prev`, `parent`, `putId`, `kind`, `at`, `finished` | nothing: compared, or copied | the codec: form |
 * | `keyGroups` | nothing: compared with those of the job | the codec: form |
 * | `savepoint`, `from`, `revokes` | nothing: compared, or not read | the codec: form |
 * | the root of a savepoint: `data`, `operators` | objects to copy | `savepoints/root.ts`: names, form, signature |
 * | `entropy` | other prefixes of the bucket | here: its marker matches the checkpoint directory |
 * | `garbage` | objects, log entries to delete | here: data names, and entries that are over |
 * | `objects` of operators, committables, `retained` | objects to keep, read, delete | here, and `dataKey` at each use |
 * | `operators`: `snapshot` of a source | objects to read | `sources/listedRoot.ts`: the source's pattern, and a version |
 * | `operators`: `snapshot` of keyed state | segments to read | `dataKey`; `state/backend/snapshot.ts`: form |
 * | `open`, `pending`: committables | stores to open, objects to write | `sinks/file/places.ts`: the sink's own places and names |
 * | `pending` of an outbox: checkpoint, sequence | nothing: the target compares them | `sinks/outbox/journaled.ts`: form |
 * | `latest.json` of a sink | nothing: compared | `sinks/file/fileManifest.ts`: form |
 * | a committable's journals | objects to read | `dataKey`; `store/multipart/tails.ts`: content |
 * | segments, journals | state and output of this job | `state/segment/reader.ts`, `store/multipart/tails.ts`: content |
 * | listings of the log, of data, of uploads | objects and uploads to delete | `logNumber`, `leftovers.ts`, `sinks/file/leftUploads.ts`: names of this job, of epochs that are over |
 * | `_export.json` of an export, its lists and entries | the content of the savepoint that an import makes | `state/layout/`: names below the folder, form, lengths, checksums. Not signed |
 * | `probe.json` | how this job writes its own files | `store/probe.ts`: form |
 * | `.<name>.millrace-partial` of a copy | an upload of its own target | `fs/operations/transfer/resumeFile.ts`: target, source and sizes |
 *
 * Within these bounds an unsigned checkpoint is still trusted: its writer controls the job's own output. With
 * `checkpoints.sign` only the job's own manifests are accepted (`signature.ts`), each in its own slot, and the
 * objects they name are checked against their SHA-256. See docs/security.md.
 */
export interface Scope {
  /** The log's directory, for messages. */
  readonly uri: string;
  readonly job: string;
  readonly entropy: EntropyMark | undefined;
  readonly sign: Signing | undefined;
}

export function scopeOf(options: {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly job: string;
  readonly entropy?: EntropyMark | undefined;
  readonly sign?: Signing | undefined;
}): Scope {
  const { store, prefix, job, entropy, sign } = options;
  return { uri: `${store.uri}/${prefix}`, job, entropy, sign };
}

/** Reads the entry of slot `n`. Errors: `ManifestCorrupt`, `ManifestTooNew`, `ManifestNotTrusted`, `ForeignName`. */
export function readManifest(bytes: Buffer, n: number, scope: Scope): Manifest {
  const where = scope.uri + logKey(n);
  const { sign } = scope;
  const manifest = decodeManifest(bytes, where, (json, signature) => {
    if (sign !== undefined) verify(json, signature, sign, where);
  });
  if (manifest.n !== n || manifest.job !== scope.job) throw misplaced(where, n, manifest, scope.job);
  // A signed manifest always has a directory: one without was accepted unsigned.
  if (
    sign !== undefined &&
    sign.accept !== 'moved' &&
    manifest.dir !== undefined &&
    manifest.dir !== scope.uri
  )
    throw notTrusted(
      where,
      `is signed for ${manifest.dir}`,
      'moved',
      'the directory was moved there on purpose',
    );
  checkNames(manifest, where, scope);
  return manifest;
}

/** Errors: `ManifestNotTrusted`. */
function verify(json: Buffer, signature: string | undefined, { keys, accept }: Signing, where: string): void {
  if (signature === undefined) {
    if (accept !== 'unsigned')
      throw notTrusted(
        where,
        'is not signed',
        'unsigned',
        'the job ran without a key before, and nobody else can write there',
      );
  } else if (!isSignedBy(json, signature, keys, 'millrace-manifest')) {
    throw new CheckpointError(
      'ManifestNotTrusted',
      `The manifest ${where} is signed with none of the keys of checkpoints.sign. Nothing was changed. If the key was changed, add the former one to the list, after the new one. If not, somebody else has written the object: restore it from a version or backup of the bucket.`,
    );
  }
}

function notTrusted(where: string, what: string, accept: string, reason: string): CheckpointError {
  return new CheckpointError(
    'ManifestNotTrusted',
    `The manifest ${where} ${what}, and checkpoints.sign has a key. Nothing was changed. If ${reason}, start the job once with checkpoints.sign.accept: '${accept}'. If not, somebody else has written the object: restore it from a version or backup of the bucket.`,
  );
}

/** Names of data objects have ten digits for the epoch. */
const lastEpoch = 1e10 - 2;
/** Well below `Number.MAX_SAFE_INTEGER`. */
const lastNumber = 1e15;

function checkNames(manifest: Manifest, where: string, { entropy }: Scope): void {
  const { jobId, n, epoch, checkpoint, operators, pending, garbage, retained } = manifest;
  const at = `The manifest ${where}`;
  if (!/^[\w-]{12}$/.test(jobId)) throw new ForeignName(at, jobId, 'not the id of a job', restore);
  const numbers = [n, checkpoint, ...retained.map((each) => each.n)].filter((each) => each > lastNumber);
  for (const number of epoch > lastEpoch ? [epoch] : numbers)
    throw new ForeignName(at, String(number), 'too large for a log', restore);
  const mark = manifest.entropy;
  if (mark !== undefined && (mark.at !== entropy?.at || mark.name !== entropy.name)) {
    throw new ForeignName(
      at,
      mark.values[0] ?? '',
      'not entropy of this checkpoint directory',
      "Put the marker s3.entropy.key back where it was in 'checkpoints.dir' when the job first started.",
    );
  }
  for (const value of mark?.values ?? [])
    if (!/^[a-z0-9]{1,64}$/.test(value)) throw new ForeignName(at, value, 'not entropy', restore);
  const data = (names: readonly string[] = []): void => {
    for (const name of names) if (!isDataName(name)) throw noDataName(at, name);
  };
  for (const { objects, open } of Object.values(operators)) {
    data(objects);
    for (const committable of open) data(committable.objects);
  }
  for (const { committable } of pending) data(committable.objects);
  for (const { objects } of retained) data(objects);
  for (const name of garbage) {
    const entry = logNumber(name);
    if (entry === undefined ? isDataName(name) : entry <= n - 2) continue;
    throw new ForeignName(
      at,
      name,
      entry === undefined ? "not in the job's own folder" : 'an entry of the log that is still needed',
      restore,
    );
  }
}

const restore = 'Restore the object from a version or backup of the bucket.';

/** For example, an older entry copied over the newest one: the next entry would always find its slot taken. */
function misplaced(where: string, n: number, says: Manifest, job: string): CheckpointError {
  return manifestCorrupt(
    `The manifest ${where} should be entry ${n} of job '${job}', but is entry ${says.n} of job '${says.job}': another entry was copied over it.`,
  );
}
