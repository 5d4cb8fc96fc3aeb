/**
 * A report of a server's features and of the credentials' permissions, for people to read.
 *
 * Each feature is tested separately, so one missing permission does not hide the others. All test objects have names that
 * start with `<prefix>inspect-millrace-`, and are removed.
 */
import {
  catchError,
  concat,
  concatMap,
  defer,
  ignoreElements,
  map,
  of,
  reduce,
  throwError,
  type Observable,
} from 'rxjs';
import type { ChecksumKind } from './checksums.js';
import { isStoreError, StoreError } from './errors.js';
import { awsMinimumPartSize, join } from './helpers.js';
import type { ObjectStore } from './objectStore.js';
import type { StoreLocation } from './services.js';
import { cleaned, MissingRight, needing, part, race, subset, trialName, tried, upload } from './trials.js';

/** The result of one test. */
export interface Finding {
  /** A stable name, such as `conditional-put`. */
  readonly name: FindingName;
  /** Whether the server supports it; bytes for `minimum-part-size`. `undefined`: it could not be tested, see `error`. */
  readonly found: boolean | number | undefined;
  /** The consequence for millrace, in one line. */
  readonly means: string;
  /** Why it is not supported, or could not be tested. */
  readonly error?: StoreError;
}

export type FindingName =
  | 'conditional-put'
  | 'conditional-replace'
  | 'conditional-complete'
  | 'complete-subset'
  | 'minimum-part-size'
  | 'ordered-listing'
  | 'ranged-read'
  | 'copy'
  | 'conditional-copy'
  | 'copy-part'
  | 'list-parts'
  | 'list-uploads'
  | 'checksum-crc32'
  | 'checksum-crc32c'
  | 'checksum-crc64nvme';

export interface ServerReport {
  readonly uri: string;
  readonly findings: readonly Finding[];
  /** The IAM actions that these credentials lack, such as `s3:ListBucketMultipartUploads`. */
  readonly missing: readonly string[];
}

/**
 * Runs all tests in sequence: about 60 small requests and one of 5 MiB. Errors: `NotFound` (no such bucket),
 * `PermissionDenied` (`s3:PutObject` and `s3:DeleteObject` are required), and retryable errors. `random` makes the names of
 * the test objects, default `Math.random`.
 *
 * @example
 * ```ts
 * inspectServer(openStores().open('s3://lake')).subscribe(({ findings, missing }) => console.table(findings));
 * ```
 */
export function inspectServer(
  location: Pick<StoreLocation, 'store' | 'variant'>,
  prefix = '.millrace/',
  random: () => number = Math.random,
): Observable<ServerReport> {
  return defer(() => {
    const { store } = location;
    const at = trialName(prefix, 'inspect-millrace', random);
    const names = [...tried, '-a', '-b', '-c', '-copy', '-uploaded', ...checksums.map((kind) => `-${kind}`)];
    const report = concat(...trials(location, at)).pipe(
      reduce((findings: Finding[], finding) => [...findings, finding], []),
      map((findings) => ({ uri: store.uri, findings, missing: missingOf(findings) })),
    );
    const first = needing('s3:PutObject', store, store.put(`${at}-a`, part(1)));
    return cleaned(
      store,
      names.map((name) => at + name),
      first.pipe(concatMap(() => report)),
    );
  });
}

const checksums: readonly ChecksumKind[] = ['crc32', 'crc32c', 'crc64nvme'];

function trials(
  { store, variant }: Pick<StoreLocation, 'store' | 'variant'>,
  at: string,
): Observable<Finding>[] {
  const [a, b, c, uploaded] = [`${at}-a`, `${at}-b`, `${at}-c`, `${at}-uploaded`] as const;
  const wrong = '0'.repeat(32);
  return [
    finding('conditional-put', race(store, at), {
      yes: 'two processes cannot own one log',
      no: 'jobs do not start, unless execution.checkpointing.fencing is none: then two processes can own one log',
    }),
    finding('conditional-replace', refused(store.put(a, part(2), { ifMatch: wrong })), {
      yes: 'an object can be replaced only if it has a given ETag',
      no: 'writes with an expected ETag fail, or ignore it',
    }),
    finding('conditional-complete', refused(upload(store, a, [part(1)], undefined, { ifNoneMatch: '*' })), {
      yes: 'large files can be created only if there is no object',
      no: 'large files that must not replace an object may replace one that is written at the same time',
    }),
    finding('complete-subset', subset(store, at), {
      yes: 'files stay open across checkpoints',
      no: 'files roll at every checkpoint, so a short checkpoint interval makes small files',
    }),
    finding('minimum-part-size', minimumPartSize(store, uploaded), {
      yes: 'minimum size of all parts but the last',
      no: 'parts of 5 MiB are too small: raise s3.upload.min.part.size',
    }),
    finding('ordered-listing', ordered(store, at, a, b, c), {
      yes: 'listings are in key order, and can start at a key',
      no: 'jobs do not work here: logs and sources need it',
    }),
    finding('ranged-read', rangedRead(store, a), {
      yes: 'large objects are read in ranges, and interrupted reads continue',
      no: 'jobs and reads of large objects do not work here',
    }),
    finding('copy', accepted(needing('s3:GetObject', store, store.copy(a, `${at}-copy`))), {
      yes: 'copies and moves stay on the server',
      no: 'copies within the server fail',
    }),
    finding(
      'conditional-copy',
      refused(needing('s3:GetObject', store, store.copy(a, `${at}-copy`, { ifMatch: wrong }))),
      {
        yes: 'a copy has the requested version',
        no: 'a copy may have a version that was written meanwhile',
      },
    ),
    finding(
      'copy-part',
      accepted(
        withUpload(store, uploaded, (id) =>
          needing(
            's3:GetObject',
            store,
            store.copyPart(uploaded, id, 1, { key: a, range: { start: 0, end: 1 } }),
          ),
        ),
      ),
      {
        yes: 'copies of more than 5 GiB stay on the server',
        no: 'copies of more than 5 GiB within the server fail',
      },
    ),
    finding(
      'list-parts',
      accepted(
        withUpload(store, uploaded, (id) =>
          needing('s3:ListMultipartUploadParts', store, store.listParts(uploaded, id)),
        ),
      ),
      {
        yes: 'the outcome of an upload can be checked',
        no: 'an upload with a refused part cannot be repaired',
      },
    ),
    finding(
      'list-uploads',
      accepted(needing('s3:ListBucketMultipartUploads', store, store.listUploads({ prefix: at }))),
      {
        yes: 'abandoned uploads are found and aborted',
        no: 'abandoned uploads stay: set a lifecycle rule that aborts them',
      },
    ),
    ...(variant === undefined
      ? []
      : checksums.map((kind) => {
          const key = `${at}-${kind}`;
          const own = variant({ checksum: kind });
          const both = own.put(key, part(10)).pipe(concatMap(() => upload(own, key, [part(10)])));
          return finding(`checksum-${kind}`, accepted(both), {
            yes: 'bodies can be sent with it: see s3.integrity-check-algorithm',
            no: 'bodies cannot be sent with it: see s3.integrity-check-algorithm',
          });
        })),
  ];
}

type Tried = { readonly found: boolean | number; readonly error?: StoreError };

function finding(
  name: FindingName,
  trial: Observable<Tried | boolean>,
  { yes, no }: { readonly yes: string; readonly no: string },
): Observable<Finding> {
  return trial.pipe(
    map((outcome): Finding => {
      const { found, ...why } = typeof outcome === 'boolean' ? { found: outcome } : outcome;
      return { name, found, means: found === false ? no : yes, ...why };
    }),
    catchError((error: unknown) => {
      if (!(error instanceof StoreError) || isFatal(error)) return throwError(() => error);
      const denied = isStoreError(error, 'PermissionDenied');
      const means = denied
        ? `it could not be tested, because a right is missing; if it does not work, ${no}`
        : no;
      return of({ name, found: denied ? undefined : false, means, error });
    }),
  );
}

/** Whether the error ends the report instead of being a finding. */
function isFatal(error: StoreError): boolean {
  return error.retryable || error.serverCode === 'NoSuchBucket';
}

/** Whether the request succeeds. */
function accepted(request: Observable<unknown>): Observable<boolean> {
  return request.pipe(map(() => true));
}

/** Whether the server refuses a request whose condition is false. */
function refused(request: Observable<unknown>): Observable<Tried> {
  return request.pipe(
    map(() => ({ found: false })),
    catchError((error: unknown) => {
      const respected = isStoreError(error, 'PreconditionFailed', 'AlreadyExists', 'Conflict');
      return respected ? of({ found: true }) : throwError(() => error);
    }),
  );
}

/** The minimum part size; 1 if there is none. */
function minimumPartSize(store: ObjectStore, key: string): Observable<Tried> {
  const takes = (size: number): Observable<Tried> =>
    upload(store, key, [part(size), part(1)]).pipe(map(() => ({ found: size })));
  const orElse = (next: Observable<Tried>) =>
    catchError<Tried, Observable<Tried>>((error: unknown) =>
      isStoreError(error, 'TooSmall') ? next : throwError(() => error),
    );
  return takes(1).pipe(orElse(takes(awsMinimumPartSize)), orElse(of({ found: false })));
}

/** Puts three keys out of order, and lists those after the first. */
function ordered(store: ObjectStore, at: string, a: string, b: string, c: string): Observable<boolean> {
  return needing('s3:PutObject', store, store.put(c, part(1))).pipe(
    concatMap(() => store.put(b, part(1))),
    concatMap(() =>
      needing('s3:ListBucket', store, store.list({ prefix: `${at}-`, startAfter: a, limit: 2 })),
    ),
    map(({ objects }) => objects.map(({ key }) => key).join() === [b, c].join()),
  );
}

function rangedRead(store: ObjectStore, key: string): Observable<boolean> {
  const range = { start: 1, end: 3 };
  return needing('s3:PutObject', store, store.put(key, Buffer.from('0123'))).pipe(
    concatMap(() => needing('s3:GetObject', store, store.get(key, { range }))),
    map(({ chunks }) => Buffer.from(join(chunks)).toString() === '12'),
  );
}

/** Runs `work` with an upload, which is aborted afterwards. */
function withUpload(
  store: ObjectStore,
  key: string,
  work: (uploadId: string) => Observable<unknown>,
): Observable<unknown> {
  return needing('s3:PutObject', store, store.createUpload(key)).pipe(
    concatMap(({ uploadId }) => {
      const abort = needing('s3:AbortMultipartUpload', store, store.abortUpload(key, uploadId));
      return work(uploadId).pipe(
        map((answer) => of(answer)),
        catchError((error: unknown) => of(throwError(() => error))),
        concatMap((outcome) => concat(abort.pipe(ignoreElements()), outcome)),
      );
    }),
  );
}

function missingOf(findings: readonly Finding[]): string[] {
  const actions = findings.flatMap(({ error }) => (error instanceof MissingRight ? [error.action] : []));
  return [...new Set(actions)];
}
