/**
 * What the lifecycle rules of a bucket do to jobs. S3 applies them by key prefix and age, and knows nothing of checkpoints.
 *
 * 1. **Checkpoints.** The log, the state and the journals of a job are read again however old they are. A rule that deletes in a
 *    checkpoint folder is a problem, whatever its number of days, and so is one that moves to an archive, where nothing can be read.
 *    Published files are not read again: they may expire.
 * 2. **Open files.** A file that is not published is an unfinished upload, which the newest checkpoint names. A rule that aborts
 *    it while the job is down loses the file (`LostUpload`), so its days must exceed the longest downtime.
 * 3. **Leftovers.** Jobs abort their own. Without a rule, those of jobs that never start again stay, and cost money.
 *
 * A manifest names the files that are open or pending, not the folders of sinks. If a sink has no such file, it may write
 * anywhere below the examined folder, and so may jobs that are not known.
 */
import { catchError, map, of, throwError, type Observable } from 'rxjs';
import type { Committable } from '../flow/index.js';
import { rootsOf, type Manifest } from '../checkpoint/index.js';
import { isString } from '../shape.js';
import { isStoreError, type StoreError } from '../store/errors.js';
import type { LifecycleRule } from '../store/services.js';
import type { KnownJob } from './doctor.js';

/** Where jobs keep what rules can remove, as key prefixes of one bucket. */
export interface JobPlaces {
  readonly checkpoints: readonly string[];
  /** Where sinks have, or may have, unfinished uploads. */
  readonly outputs: readonly string[];
}

export interface RuleFinding {
  /**
   * `deletes-checkpoints`: objects expire there; `archives-checkpoints`: they go to a class that cannot be read;
   * `aborts-open-files`: after fewer than {@link safeDays}.
   */
  readonly problem: 'deletes-checkpoints' | 'archives-checkpoints' | 'aborts-open-files';
  readonly verdict: 'warning';
  readonly rule: LifecycleRule;
  /** The keys in these places that it applies to. */
  readonly prefixes: readonly string[];
}

export interface MissingRule {
  readonly problem: 'no-abort-rule';
  readonly verdict: 'hint';
  /** The places of which some keys are in no such rule. */
  readonly prefixes: readonly string[];
}

/** The rules cannot be read. */
export interface UnreadableRules {
  readonly problem: 'unreadable';
  readonly verdict: 'unknown';
  /** `PermissionDenied`, or `NotSupported`. */
  readonly error: StoreError;
}

export type LifecycleFinding = RuleFinding | MissingRule | UnreadableRules;

/** The least number of days after which a rule should abort uploads: a weekend, and time to find out. */
export const safeDays = 7;

/** What `lifecycleAdvice` finds in a bucket, at the places of jobs: see `placesOf`. Emits once. Errors: of the store. */
export function lifecycleFindings(
  lifecycle: Observable<readonly LifecycleRule[]>,
  jobs: readonly KnownJob[],
  bucket: string,
  examined: string | undefined,
): Observable<readonly LifecycleFinding[]> {
  return lifecycle.pipe(
    map((rules): readonly LifecycleFinding[] => lifecycleAdvice(rules, placesOf(jobs, bucket, examined))),
    catchError((error: unknown) =>
      isStoreError(error, 'PermissionDenied', 'NotSupported')
        ? of([{ problem: 'unreadable' as const, verdict: 'unknown' as const, error }])
        : throwError(() => error),
    ),
  );
}

/** Compares the rules of a bucket with what its jobs need. */
export function lifecycleAdvice(
  rules: readonly LifecycleRule[],
  { checkpoints, outputs }: JobPlaces,
): readonly (RuleFinding | MissingRule)[] {
  const enabled = rules.filter((rule) => rule.enabled);
  const found = (
    problem: RuleFinding['problem'],
    rule: LifecycleRule,
    places: readonly string[],
  ): RuleFinding[] => {
    const prefixes = outermost(places.flatMap((place) => overlap(rule.prefix, place)));
    return prefixes.length === 0 ? [] : [{ problem, verdict: 'warning', rule, prefixes }];
  };
  const harmful = enabled.flatMap((rule) => [
    ...(expires(rule) ? found('deletes-checkpoints', rule, checkpoints) : []),
    ...(archives(rule) ? found('archives-checkpoints', rule, checkpoints) : []),
    ...((rule.abortIncompleteAfterDays ?? Infinity) < safeDays
      ? found('aborts-open-files', rule, outputs)
      : []),
  ]);
  const aborting = enabled.filter(
    ({ abortIncompleteAfterDays, hasOtherFilter }) =>
      abortIncompleteAfterDays !== undefined && !hasOtherFilter,
  );
  const open = [...checkpoints, ...outputs].filter(
    (place) => !aborting.some(({ prefix }) => place.startsWith(prefix)),
  );
  if (open.length === 0) return harmful;
  return [...harmful, { problem: 'no-abort-rule', verdict: 'hint', prefixes: outermost(open) }];
}

function expires({ expireAfterDays, expireAtDate }: LifecycleRule): boolean {
  return expireAfterDays !== undefined || expireAtDate !== undefined;
}

function archives({ archiveAfterDays, archiveAtDate }: LifecycleRule): boolean {
  return archiveAfterDays !== undefined || archiveAtDate !== undefined;
}

/** The prefix of all keys that have both prefixes: the longer one, if any key has. */
function overlap(a: string, b: string): readonly string[] {
  if (a.startsWith(b)) return [a];
  return b.startsWith(a) ? [b] : [];
}

/** Without duplicates, and without those that are below another one. */
function outermost(prefixes: readonly string[]): readonly string[] {
  const all = [...new Set(prefixes)];
  return all.filter((each) => !all.some((other) => other !== each && each.startsWith(other))).sort();
}

/**
 * The places of jobs in a bucket, by the URI of its store. `examined` is the folder that was asked about; `undefined` if only
 * checkpoints are in this bucket.
 */
export function placesOf(jobs: readonly KnownJob[], bucket: string, examined: string | undefined): JobPlaces {
  const outputs = new Set<string>();
  let known = jobs.length > 0;
  for (const { manifest } of jobs) {
    const sinks = filesOf(manifest);
    if (sinks.length === 0) known = false;
    for (const files of sinks) {
      if (files.length === 0) known = false;
      const here = files.filter(({ store }) => store === bucket).map(({ key }) => key);
      if (here.length > 0) outputs.add(commonFolder(here));
    }
  }
  if (examined !== undefined && !known)
    outputs.add(examined === '' || examined.endsWith('/') ? examined : `${examined}/`);
  return {
    checkpoints: jobs
      .filter(({ log }) => log.store.uri === bucket)
      .flatMap(({ log, manifest: { entropy } }) => rootsOf({ prefix: log.prefix, entropy })),
    outputs: [...outputs],
  };
}

interface NamedFile {
  readonly store: string;
  readonly key: string;
}

/** The files that a manifest names, for each sink. */
function filesOf({ operators, pending }: Manifest): readonly (readonly NamedFile[])[] {
  const files = new Map<string, Committable[]>();
  for (const [id, { kind, open }] of Object.entries(operators)) if (kind === 'sink') files.set(id, [...open]);
  for (const { sink, committable } of pending) files.set(sink, [...(files.get(sink) ?? []), committable]);
  return [...files.values()].map((committables) => committables.flatMap(namedFile));
}

function namedFile(committable: Committable): readonly NamedFile[] {
  const { store, key } = committable as unknown as { readonly store?: unknown; readonly key?: unknown };
  return isString(store) && isString(key) ? [{ store, key }] : [];
}

/** The innermost folder of all keys, which are not empty. */
function commonFolder(keys: readonly string[]): string {
  const [first = ''] = keys;
  let length = first.lastIndexOf('/') + 1;
  while (!keys.every((key) => key.startsWith(first.slice(0, length))))
    length = first.lastIndexOf('/', length - 2) + 1;
  return first.slice(0, length);
}
