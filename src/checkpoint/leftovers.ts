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
 * Leftovers: what attempts that are over have made, and no entry of the log names. Data objects, their uploads, and what
 * participants made elsewhere, such as the uploads of sinks. All names hold the epoch that made them.
 *
 * An attempt is over when a later one owns the log, or when it has settled. The entries that follow go on from the newest
 * one then, and add names of their own epochs only: what is of an epoch that is over, and not named in the newest entry,
 * is never named again. So it needs no declaration (rule 9), and goes at once:
 *
 * | when | up to epoch | the newest entry |
 * |---|---|---|
 * | an attempt starts | the one before | its claim, verified |
 * | it has settled | its own | its last one, verified |
 * | it is fenced, and torn down | its own | what the log has above its own entries |
 *
 * What is named in an entry and in none of those that follow has been published, or deleted: to remove it once more does
 * no harm. So an entry may serve although newer ones have come.
 *
 * *Crash anywhere:* the next start looks again. A request of a dead attempt that takes effect after the last look stays
 * until the job is started again; there is no other way to know of it.
 *
 * A sweep is for tidiness, never for safety. What can not be listed or removed is told, and ends nothing.
 */
export interface Sweep {
  readonly store: ObjectStore;
  readonly place: DataPlace;
  /** Of attempts up to this epoch. */
  readonly epoch: number;
  /** The newest entry. */
  readonly standing: Manifest;
  readonly participants: Iterable<Participant>;
  readonly clock: Clock;
  readonly tell: (event: CheckpointEvent) => void;
}

/** The longest that a settling job waits for a sweep, in milliseconds. */
const patience = 60_000;

/** Completes when all is removed that can be, or when it has taken too long. */
export function sweep(leftovers: Sweep): Observable<never> {
  const { place, participants, clock, tell } = leftovers;
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
        tell({ type: 'sweep-skipped', error: sweepTooLong(patience) });
        done.complete();
      }),
    );
    return running;
  });
}

function theirs(participant: Participant, { epoch, standing, tell }: Sweep): Observable<never> {
  const named = namedOf(standing, participant.id);
  return defer(() => participant.sweep?.({ epoch, named }) ?? EMPTY).pipe(ignoreElements(), told(tell));
}

/** Below one root of the data place. Uploads come first: one that is completed meanwhile is an object then. */
function ours(root: string, leftovers: Sweep): Observable<never> {
  const { tell } = leftovers;
  return concat(uploads(root, leftovers).pipe(told(tell)), objects(root, leftovers).pipe(told(tell)));
}

/** No entry names uploads of data objects. */
function uploads(root: string, { store, epoch, tell }: Sweep): Observable<never> {
  return abortUploads(store, `${root}data/`, ({ key }) => epochOf(key.slice(root.length)) <= epoch).pipe(
    tap(({ failure }) => {
      if (failure !== undefined) tell({ type: 'sweep-skipped', error: failure.error });
    }),
    ignoreElements(),
  );
}

function objects(root: string, { store, epoch, standing, tell }: Sweep): Observable<never> {
  const named = references(standing);
  for (const retained of standing.retained) for (const name of retained.objects) named.add(name);
  return listPages(store, { prefix: `${root}data/` }).pipe(
    map(({ objects: listed }) => listed.map(({ key }) => key.slice(root.length))),
    // Epochs come in order: after the first that lives there is nothing to find.
    takeWhile((names) => names.every((name) => epochOf(name) <= epoch), true),
    concatMap((names) => {
      const dead = names.filter((name) => epochOf(name) <= epoch && !named.has(name));
      if (dead.length === 0) return EMPTY;
      return store.delete(dead.map((name) => root + name)).pipe(
        tap((failures) => {
          const failed = new Set(failures.map(({ key }) => key));
          const gone = dead.filter((name) => !failed.has(root + name));
          tell({ type: 'garbage-deleted', keys: gone, failed: failed.size });
          const [first] = failures;
          if (first !== undefined) tell({ type: 'sweep-skipped', error: first.error });
        }),
      );
    }),
    ignoreElements(),
  );
}

/** Failures are told, and end nothing. */
export function told(tell: Sweep['tell']): MonoTypeOperatorFunction<never> {
  return catchError((error: unknown) => {
    tell({ type: 'sweep-skipped', error });
    return EMPTY;
  });
}

/** What an entry has open or pending for one sink. */
function namedOf({ operators, pending }: Manifest, id: string): Committable[] {
  const open = Object.hasOwn(operators, id) ? (operators[id]?.open ?? []) : [];
  return [...open, ...pending.flatMap(({ sink, committable }) => (sink === id ? committable : []))];
}
