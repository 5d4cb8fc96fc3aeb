import { fields, isCount, isString, optional } from '../../shape.js';
import type { TimeRange } from '../events.js';

/** The folder of file manifests, below the URI of a sink. No partition may be in it. */
export const manifestFolder = '_manifests/';

/** One file of a {@link FileManifest}, as the event `committed` describes it. */
export interface ManifestFile {
  readonly uri: string;
  /** The folder below the sink's URI. Empty if there is none. */
  readonly partition: string;
  readonly bytes: number;
  readonly records: number;
  /** The event times of its records, if `byTime({ timestamp })` gives them. */
  readonly times?: TimeRange;
}

/** The place of a file manifest among those of its sink: first the epochs, then the checkpoints, and then what had none. */
export interface ManifestPosition {
  /** The attempt of the job that opened the files. */
  readonly epoch: number;
  /** The checkpoint that finished the files. Absent for those that were open when the attempt ended: a restart has finished them. */
  readonly checkpoint?: number;
}

/** What a sink has published of one checkpoint: `_manifests/<sink>/<job id>/<epoch>-<checkpoint>.json` below its URI. */
export interface FileManifest extends ManifestPosition {
  readonly version: 1;
  readonly job: string;
  readonly jobId: string;
  readonly sink: string;
  /** At least one, in the order in which they were opened. */
  readonly files: readonly ManifestFile[];
}

/** The newest file manifest: `_manifests/<sink>/<job id>/latest.json`. */
export interface LatestManifest extends ManifestPosition {
  readonly version: 1;
  readonly jobId: string;
  readonly sink: string;
  /** Its name, in the same folder. */
  readonly manifest: string;
}

/** The name without `.json`. Names are in the order of positions. */
export function nameOf({ epoch, checkpoint }: ManifestPosition): string {
  const last = checkpoint === undefined ? 'sealed' : String(checkpoint).padStart(16, '0');
  return `${String(epoch).padStart(10, '0')}-${last}`;
}

/** The position with that name. */
export function positionOf(name: string): ManifestPosition {
  const [epoch, last] = name.split('-');
  return { epoch: Number(epoch), ...(last !== 'sealed' && { checkpoint: Number(last) }) };
}

/** A line for each file, so that it can be read in pieces. The same manifest always has the same bytes. */
export function encodeManifest({ files, ...header }: FileManifest): Buffer {
  const head = JSON.stringify(header).slice(0, -1);
  return Buffer.from(`${head},"files":[\n${files.map((file) => JSON.stringify(file)).join(',\n')}\n]}\n`);
}

export function encodeLatest(latest: LatestManifest): Buffer {
  return Buffer.from(`${JSON.stringify(latest)}\n`);
}

/** Upper bound of {@link encodeLatest}. Bytes. */
export const largestLatest = 4096;

const isLatest = fields({
  jobId: isString,
  sink: isString,
  epoch: isCount,
  checkpoint: optional(isCount),
  manifest: isString,
});

/** Decodes {@link encodeLatest}; `undefined` if it is something else. */
export function decodeLatest(body: Uint8Array): LatestManifest | undefined {
  if (body.length > largestLatest) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString());
  } catch {
    return undefined;
  }
  if (!isLatest(value)) return undefined;
  const latest = value as LatestManifest;
  return latest.manifest === `${nameOf(latest)}.json` ? latest : undefined;
}
