import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  from,
  ignoreElements,
  map,
  mergeMap,
  Observable,
  takeWhile,
  tap,
  type MonoTypeOperatorFunction,
} from 'rxjs';
import type { Clock, Committable, Participant } from '../flow/index.js';
import { abortUploads } from '../store/abortUploads.js';
import type { ObjectStore } from '../store/objectStore.js';
import { listPages } from '../store/pages.js';
import { epochOf, rootsOf, type DataPlace } from './dataPlace.js';
import { sweepTooLong } from './errors.js';
import type { CheckpointEvent } from './events.js';
import { references, type Manifest } from './manifest.js';

/**
 * Leftovers are created by attempts that are over, and named in no log entry: data objects, their uploads, and objects
 * that participants create elsewhere, such as uploads of sinks. Each name contains the epoch that created it.
 *
 * An attempt is over when a later one owns the log, or when it has settled. Later entries continue from the newest
 * entry at that time and add only names of their own epochs. So an object of an epoch that is over, if not named in
 * the newest entry, is never named again. It needs no declaration (rule 9) and is removed immediately:
 *
 * | when | up to epoch | the newest entry |
 * |---|---|---|
 * | an attempt starts | the one before | its claim, verified |
 * | it has settled | its own | its last one, verified |
 * | it is fenced, and torn down | its own | the newest one above its own entries |
 *
 * A stale newest entry is safe, too: objects that it names and later entries do not have been published or deleted.
 *
 * *Crash anywhere:* the next start sweeps again. If a request of a dead attempt takes effect after the last sweep,
 * its result remains until the job is started again.
 *
 * Safety never depends on a sweep. Failures to list or remove are reported, and do not end the attempt.
 */
export interface Sweep {
  readonly store: ObjectStore;
  readonly place: DataPlace;
  /** Of attempts up to this epoch. */
  readonly epoch: number;
  /** The newest entry. */
  readonly newest: Manifest;
  readonly participants: Iterable<Participant>;
  readonly clock: Clock;
  readonly report: (event: CheckpointEvent) => void;
}

/** The longest that a settling job waits for a sweep, in milliseconds. */
const patience = 60_000;

/** Completes when everything possible is removed, or after the time limit. */
export function sweep(leftovers: Sweep): Observable<never> {
  const { place, participants, clock, report } = leftovers;
  return new Observable((done) => {
    const works = [
      ...[...participants].map((each) => theirs(each, leftovers)),
      ...rootsOf(place).map((root) => ours(root, leftovers)),
    ];
    const running = from(works)
      .pipe(mergeMap((work) => work, 4))
      .subscribe(done);
    running.add(
      clock.after(patience, () => {
        report({ type: 'sweep-skipped', error: sweepTooLong(patience) });
        done.complete();
      }),
    );
    return running;
  });
}

function theirs(participant: Participant, { epoch, newest, report }: Sweep): Observable<never> {
  const named = namedOf(newest, participant.id);
  return defer(() => participant.sweep?.({ epoch, named }) ?? EMPTY).pipe(
    ignoreElements(),
    reportFailures(report),
  );
}

/**
 * Below one root of the data place. Uploads come first: one that is completed in the meantime is then listed as an
 * object.
 */
function ours(root: string, leftovers: Sweep): Observable<never> {
  const { report } = leftovers;
  return concat(
    uploads(root, leftovers).pipe(reportFailures(report)),
    objects(root, leftovers).pipe(reportFailures(report)),
  );
}

/** No entry names uploads of data objects. */
function uploads(root: string, { store, epoch, report }: Sweep): Observable<never> {
  return abortUploads(store, `${root}data/`, ({ key }) => epochOf(key.slice(root.length)) <= epoch).pipe(
    tap(({ failure }) => {
      if (failure !== undefined) report({ type: 'sweep-skipped', error: failure.error });
    }),
    ignoreElements(),
  );
}

function objects(root: string, { store, epoch, newest, report }: Sweep): Observable<never> {
  const named = references(newest);
  for (const retained of newest.retained) for (const name of retained.objects) named.add(name);
  return listPages(store, { prefix: `${root}data/` }).pipe(
    map(({ objects: listed }) => listed.map(({ key }) => key.slice(root.length))),
    // Epochs are listed in order: after the first live one there are no leftovers.
    takeWhile((names) => names.every((name) => epochOf(name) <= epoch), true),
    concatMap((names) => {
      const dead = names.filter((name) => epochOf(name) <= epoch && !named.has(name));
      if (dead.length === 0) return EMPTY;
      return store.delete(dead.map((name) => root + name)).pipe(
        tap((failures) => {
          const failed = new Set(failures.map(({ key }) => key));
          const gone = dead.filter((name) => !failed.has(root + name));
          report({ type: 'garbage-deleted', keys: gone, failed: failed.size });
          const [first] = failures;
          if (first !== undefined) report({ type: 'sweep-skipped', error: first.error });
        }),
      );
    }),
    ignoreElements(),
  );
}

/** Reports an error as an event, and completes. */
export function reportFailures(report: Sweep['report']): MonoTypeOperatorFunction<never> {
  return catchError((error: unknown) => {
    report({ type: 'sweep-skipped', error });
    return EMPTY;
  });
}

/** The open and pending committables of one sink in an entry. */
function namedOf({ operators, pending }: Manifest, id: string): Committable[] {
  const open = Object.hasOwn(operators, id) ? (operators[id]?.open ?? []) : [];
  return [...open, ...pending.flatMap(({ sink, committable }) => (sink === id ? committable : []))];
}
