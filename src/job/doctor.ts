/**
 * What jobs have left in a store, and what of it is garbage: unfinished uploads of sinks, and data objects that no checkpoint
 * refers to. Reads only.
 *
 * 1. **Logs.** A folder with a log is a job's. The newest entry of each log is read. Everyone who may write below the place can put
 *    a log there that claims that the attempts of any job are over. So a log is *proof* only if the user names its folder, or a key has
 *    signed it. Any other can protect what it names, but nothing is garbage because of it: that is *unproven*.
 * 2. **Uploads.** The name of a file tells the job, the sink and the epoch that created it. An upload is *garbage* if the epoch is
 *    below that of the newest entry, whose claim ended all earlier attempts, and the entry does not name it: it is never named
 *    again (`checkpoint/leftovers.ts`). It is *named*, or *current* if its attempt may still write it. Without a log of its job
 *    nothing can be proven: it is *foreign*.
 * 3. **Data objects** likewise. What an entry refers to is only counted.
 *
 * Memory: the newest entry of each log, and a page.
 */
import {
  concat,
  concatMap,
  defer,
  EMPTY,
  from,
  map,
  mergeMap,
  of,
  reduce,
  catchError,
  throwError,
  toArray,
  type Observable,
} from 'rxjs';
import {
  epochOf,
  logNumber,
  readNewest,
  references,
  rootsOf,
  type LogPlace,
  type Manifest,
} from '../checkpoint/index.js';
import { isString } from '../shape.js';
import { parseUid } from '../path/uids.js';
import { isStoreError } from '../store/errors.js';
import type { ObjectInfo, ObjectStore, UploadInfo } from '../store/objectStore.js';
import { eachListed, eachUploads, listedParts, listPages } from '../store/pages.js';

export type Verdict = 'garbage' | 'unproven' | 'named' | 'current' | 'foreign';

/** A job, by its log. */
export interface KnownJob {
  readonly log: LogPlace;
  readonly manifest: Manifest;
  /** Whether it shows what is garbage. */
  readonly isProof: boolean;
  readonly uploads: ReadonlySet<string>;
  /** Keys of files that are named without an upload. */
  readonly unsealed: ReadonlySet<string>;
  /** Names of data objects that checkpoints refer to. */
  readonly objects: ReadonlySet<string>;
}

export interface UploadFinding {
  readonly type: 'upload';
  readonly key: string;
  readonly uploadId: string;
  /** Bytes of its parts; `undefined` if they may not be listed. */
  readonly bytes: number | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly verdict: Verdict;
  readonly jobId: string | undefined;
  readonly job: string | undefined;
  readonly sink: string | undefined;
  readonly epoch: number | undefined;
}

/** A data object that no checkpoint refers to. */
export interface ObjectFinding {
  readonly type: 'object';
  readonly key: string;
  readonly bytes: number;
  readonly since: number;
  readonly verdict: 'garbage' | 'unproven' | 'current';
  readonly jobId: string;
  readonly job: string;
  readonly epoch: number;
}

/** All data objects of a job. */
export interface DataFinding {
  readonly type: 'data';
  readonly job: KnownJob;
  readonly objects: number;
  readonly bytes: number;
}

/** The folders below a prefix that have a log, as prefixes. */
export function logFolders(store: ObjectStore, prefix: string): Observable<readonly string[]> {
  return listPages(store, { prefix }).pipe(
    reduce((folders, { objects }) => {
      for (const { key } of objects) {
        const at = key.lastIndexOf('log/');
        const isEntry =
          at >= 0 && (at === 0 || key[at - 1] === '/') && logNumber(key.slice(at)) !== undefined;
        if (isEntry) folders.add(key.slice(0, at));
      }
      return folders;
    }, new Set<string>()),
    map((folders) => [...folders]),
  );
}

/**
 * Reads the newest entry of a log. Emits nothing if there is none. Errors: those of `readNewest`.
 *
 * @param isNamed whether the user has named its folder
 */
export function knownJob(log: LogPlace, isNamed: boolean): Observable<KnownJob> {
  const { sign } = log.scope;
  const isProof = isNamed || (sign !== undefined && sign.accept !== 'unsigned');
  return readNewest(log).pipe(
    concatMap((manifest) => {
      if (manifest === undefined) return EMPTY;
      const committables = [
        ...Object.values(manifest.operators).flatMap(({ open }) => open),
        ...manifest.pending.map(({ committable }) => committable),
      ].map((each) => each as unknown as { readonly uploadId?: unknown; readonly key?: unknown });
      const objects = references(manifest);
      for (const { objects: names } of manifest.retained) for (const name of names) objects.add(name);
      return of({
        log,
        manifest,
        isProof,
        uploads: new Set(committables.map(({ uploadId }) => uploadId).filter(isString)),
        unsealed: new Set(
          committables.flatMap(({ uploadId, key }) => (uploadId === undefined && isString(key) ? key : [])),
        ),
        objects,
      });
    }),
  );
}

/** What becomes of a page of findings. The next page is requested when it completes. */
export type Deal<T> = (findings: readonly T[]) => Observable<never>;

/** The unfinished uploads below a prefix, page by page. */
export function uploadFindings(
  store: ObjectStore,
  prefix: string,
  jobs: readonly KnownJob[],
  deal: Deal<UploadFinding>,
): Observable<never> {
  return eachUploads(store, prefix, ({ uploads }) =>
    from(uploads).pipe(
      mergeMap((upload, i) => sizeOf(store, upload).pipe(map((bytes) => ({ upload, bytes, i }))), 8),
      toArray(),
      concatMap((sized) =>
        deal(sized.sort((a, b) => a.i - b.i).map(({ upload, bytes }) => findingOf(upload, bytes, jobs))),
      ),
    ),
  );
}

function findingOf(upload: UploadInfo, bytes: number | undefined, jobs: readonly KnownJob[]): UploadFinding {
  const { key, uploadId, initiated } = upload;
  const uid = parseUid(key);
  const own = jobs.filter(({ manifest }) => manifest.jobId === uid?.jobId);
  return {
    type: 'upload',
    key,
    uploadId,
    bytes,
    since: initiated,
    verdict: uid === undefined ? 'foreign' : verdictOf(upload, uid.epoch, own),
    jobId: uid?.jobId,
    job: own[0]?.manifest.job,
    sink: uid?.sink,
    epoch: uid?.epoch,
  };
}

/** A folder of checkpoints may have been copied: all logs of the job must agree that it is garbage. */
function verdictOf({ key, uploadId }: UploadInfo, epoch: number, own: readonly KnownJob[]): Verdict {
  if (own.length === 0) return 'foreign';
  if (own.some(({ uploads, unsealed }) => uploads.has(uploadId) || unsealed.has(key))) return 'named';
  if (!own.every(({ manifest }) => epoch < manifest.epoch)) return 'current';
  return own.some(({ isProof }) => isProof) ? 'garbage' : 'unproven';
}

function sizeOf(store: ObjectStore, { key, uploadId }: UploadInfo): Observable<number | undefined> {
  return listedParts(store, key, uploadId).pipe(
    map((parts) => [...parts.values()].reduce((sum, { size }) => sum + size, 0)),
    catchError((error: unknown) =>
      isStoreError(error, 'PermissionDenied', 'NotFound') ? of(undefined) : throwError(() => error),
    ),
  );
}

/** The data objects of a job that no checkpoint refers to, page by page. Emits what there is in total. */
export function dataFindings(job: KnownJob, deal: Deal<ObjectFinding>): Observable<DataFinding> {
  const { log, manifest, isProof, objects: named } = job;
  const { prefix, store } = log;
  let objects = 0;
  let bytes = 0;
  const unreferenced = (root: string, { key, size, modified }: ObjectInfo): readonly ObjectFinding[] => {
    objects += 1;
    bytes += size;
    const name = key.slice(root.length);
    const epoch = epochOf(name);
    if (named.has(name) || epoch === Infinity) return [];
    const verdict = epoch >= manifest.epoch ? 'current' : isProof ? 'garbage' : 'unproven';
    const { jobId, job: jobName } = manifest;
    return [{ type: 'object', key, bytes: size, since: modified, verdict, jobId, job: jobName, epoch }];
  };
  const found = from(rootsOf({ prefix, entropy: manifest.entropy })).pipe(
    concatMap((root) =>
      eachListed(store, { prefix: `${root}data/` }, (page) =>
        deal(page.objects.flatMap((info) => unreferenced(root, info))),
      ),
    ),
  );
  return concat(
    found,
    defer(() => of({ type: 'data' as const, job, objects, bytes })),
  );
}
