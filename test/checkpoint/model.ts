import { wakeAt } from '#src/checkpoint/barriers.js';
import {
  initialCheckpoints,
  type CheckpointInput,
  type CheckpointRules,
  type CheckpointSettings,
  type CheckpointState,
} from '#src/checkpoint/checkpointState.js';
import type { LogEvent, LogRequest, LogRules } from '#src/checkpoint/logState.js';
import type { Manifest } from '#src/checkpoint/manifest.js';
import type { Committable, Frozen } from '#src/flow/index.js';
import { canFreezeOpen, type Freezing } from './modelFreeze.js';
import { advance, publishing, sealing, update } from './modelAttempt.js';
import { answers, clear, land, name, remove, type Found } from './modelStore.js';
import { adopting, copying, origin } from './modelSavepoint.js';
import { newlySeen, type Seen } from './modelWatch.js';
import { fencedSweep, startSweep, type DueSweep } from './modelSweep.js';

/**
 * A world in which several attempts of one job run the real steps against one store concurrently.
 *
 * Crashes need no steps: an attempt that never gets another turn has crashed, and one that gets it late is a zombie.
 * Likewise, a slow Complete is an effect that has not been carried out yet. A PUT has three fates: it lands and is
 * answered; it lands and the answer is lost; the answer is lost and it lands later, or never.
 *
 * The job reads units of input; each checkpoint takes the next unit into a file that is published once the checkpoint is
 * durable, or leaves the file open for the next. The source's snapshot refers to a data object of this checkpoint and to
 * that of the one before it; an open file refers to a journal for each checkpoint. The source and the sink ack each
 * barrier when they like, the later before the earlier, too, or never.
 *
 * A savepoint is copied object by object, also by an attempt that has been fenced; then its root is written. A log may
 * begin with one, which each attempt copies before its claim.
 *
 * Sweeps look first, and remove what they found at any time later: by then others have gone on.
 */
export interface World {
  /** By log number. */
  readonly slots: readonly Manifest[];
  /** The highest slot ever filled. */
  readonly highest: number;
  /** Data objects, with who wrote them last. */
  readonly objects: ReadonlyMap<string, string>;
  /** Unpublished uploads. */
  readonly uploads: ReadonlySet<string>;
  /** By uid. */
  readonly published: ReadonlyMap<string, Published>;
  /** The position of the savepoint that the log begins with, or 0. */
  readonly begins: number;
  /** Complete savepoints. */
  readonly roots: readonly Root[];
  /** Abandoned PUTs that may still land. */
  readonly delayed: readonly Manifest[];
  /** How many PUTs may still be in doubt. */
  readonly doubts: number;
  readonly attempts: readonly Attempt[];
  /** The violation of an attempt, if any. */
  readonly wrong: string | undefined;
}

/** A complete savepoint: a job that starts from it continues at `position`. */
export interface Root {
  readonly uri: string;
  readonly position: number;
}

export interface Published {
  readonly from: number;
  readonly to: number;
  /** How often. */
  readonly times: number;
}

export interface Attempt {
  readonly nonce: string;
  readonly state: CheckpointState;
  /** By its own clock. */
  readonly time: number;
  /** How often time may still pass. */
  readonly ticks: number;
  /** The request of the log in flight. */
  readonly asked: LogRequest | undefined;
  readonly sweeps: readonly DueSweep[];
  /** It has looked for its own leftovers, its last action. */
  readonly over: boolean;
  /** Leftovers that were found. */
  readonly found: readonly Found[];
  readonly completes: readonly Committable[];
  readonly deletes: readonly (readonly string[])[];
  /** What was frozen and is not acked. */
  readonly acks: readonly Ack[];
  /** How the next barrier is frozen. */
  readonly freezing: Freezing;
  readonly position: number;
  readonly barriers: number;
  readonly open: Committable | undefined;
  /** How many savepoints it may be asked for. */
  readonly savepoints: number;
  /** The savepoint that it copies, and the objects that are missing. */
  readonly copying: (Root & { readonly left: readonly string[] }) | undefined;
  /** The objects that it has copied of the savepoint that the log begins with. */
  readonly adopted: readonly string[];
  readonly seen: Seen;
}

export interface Ack {
  readonly checkpoint: number;
  readonly id: 'in' | 'out';
  readonly frozen: Frozen;
}

export interface Bounds {
  readonly units: number;
  /** The number of barriers that each attempt may be asked for; its length is the number of attempts. */
  readonly barriers: readonly number[];
  readonly doubts: number;
  /** Claims that each attempt may make, as two could claim in turn forever. */
  readonly claims: number;
  /** Whether files may stay open over a barrier. */
  readonly openFiles: boolean;
  /** Whether a file that was open when it was restored is given an upload, and amended, before it is published. */
  readonly amends: boolean;
  /** Whether sources may leave barriers without an ack. */
  readonly failures: boolean;
  /** Whether participants ack immediately, or at any time. */
  readonly acks: 'at once' | 'in any order';
  /** How often time may pass for each attempt. */
  readonly ticks: number;
  /** Whether attempts may be asked to stop. */
  readonly stops: boolean;
  /** How many savepoints each attempt may be asked for. Default: none. */
  readonly savepoints?: readonly number[];
  /** Whether the log begins with a savepoint, of a job that has published one unit. Default: not. */
  readonly adopts?: boolean;
  /** Whether attempts remove leftovers only when they start, or also when they have settled, and when they are fenced. */
  readonly sweeps: 'at the start' | 'always';
  /** Whose newest entry a fenced attempt trusts to name what must stay. The safe default: its successor's. */
  readonly trusts?: 'its own';
  readonly settings: Partial<CheckpointSettings>;
  /** `false` turns a rule off; others are on. */
  readonly rules: Partial<LogRules & CheckpointRules>;
}

export interface Action {
  readonly label: string;
  readonly world: World;
}

export function firstWorld(bounds: Bounds): World {
  const { barriers, rules, settings, ticks, doubts, savepoints = [], adopts = false } = bounds;
  const attempts = barriers.map((left, i): Attempt => {
    const nonce = 'ABCDE'.charAt(i);
    const quiet = { minPauseMs: 0, timeoutMs: Infinity, tolerableFailures: 0, ...settings };
    const from = adopts ? [origin] : undefined;
    const self = { job: 'model', jobId: 'model', nonce, retained: 1, from };
    return {
      nonce,
      state: initialCheckpoints(self, quiet, { log: rules, checkpoints: rules }),
      time: 0,
      ticks,
      asked: undefined,
      sweeps: [],
      over: false,
      found: [],
      completes: [],
      deletes: [],
      acks: [],
      freezing: { leaveOpen: false, acks: ['in', 'out'], later: true },
      position: 0,
      barriers: left,
      open: undefined,
      savepoints: savepoints[i] ?? 0,
      copying: undefined,
      adopted: [],
      seen: newlySeen,
    };
  });
  const none = new Map<string, never>();
  const published = adopts ? new Map([['of the first job', { from: 0, to: 1, times: 1 }]]) : none;
  const store = { slots: [], highest: 0, objects: none, uploads: new Set<string>(), published };
  return { ...store, begins: adopts ? 1 : 0, roots: [], delayed: [], doubts, attempts, wrong: undefined };
}

export type Tell = (event: CheckpointInput, base?: World, change?: Partial<Attempt>) => World;

/** Everything that can happen next. */
export function actions(world: World, bounds: Bounds): Action[] {
  const found: Action[] = [];
  for (const manifest of world.delayed) {
    const delayed = world.delayed.filter((each) => each !== manifest);
    const label = `the delayed PUT of ${name(manifest)} lands`;
    found.push({ label, world: land({ ...world, delayed }, manifest) });
  }
  world.attempts.forEach((attempt, i) => {
    for (const [label, next] of turns(world, i, bounds))
      found.push({ label: `${attempt.nonce} ${label}`, world: next });
  });
  return found;
}

function turns(world: World, i: number, bounds: Bounds): [string, World][] {
  const attempt = world.attempts[i]!;
  const { state } = attempt;
  const { phase } = state;
  const sends: Tell = (event, base = world, change = {}) =>
    advance(base, i, { ...attempt, ...change }, event, bounds);
  const found: [string, World][] = [];
  const before = world.attempts[i - 1];
  if (state.log.phase === 'idle' && (before === undefined || before.state.log.phase !== 'idle'))
    found.push(['starts', sends({ type: 'claim' })]);
  const answered = (answer: LogEvent, base: World): World =>
    sends({ type: 'answered', answer }, base, { asked: undefined });
  found.push(...answers(world, attempt, bounds.claims, answered));
  found.push(...adopting(world, i, answered), ...copying(world, i, sends));
  attempt.deletes.forEach((keys, k) => {
    const deletes = attempt.deletes.filter((_, at) => at !== k);
    const answer: LogEvent = { type: 'deleted', keys, failed: [] };
    found.push([
      `deletes ${keys.join(' ')}`,
      sends({ type: 'answered', answer }, remove(world, keys), { deletes }),
    ]);
  });
  for (const committable of attempt.completes)
    found.push(
      bounds.amends && committable['by'] !== undefined
        ? [`gives ${committable.uid} an upload`, sealing(world, i, committable, sends)]
        : [`completes ${committable.uid}`, publishing(world, i, committable, sends)],
    );
  for (const leftovers of attempt.found) {
    const left = { ...attempt, found: attempt.found.filter((each) => each !== leftovers) };
    const what = [...leftovers.uploads, ...leftovers.keys].join(' ');
    found.push([`removes ${what}`, update(clear(world, leftovers), i, left)]);
  }
  if (attempt.over || phase === 'claiming') return found;
  for (const sweep of attempt.sweeps) found.push(startSweep(world, i, sweep, sends));
  if (phase === 'failed' && bounds.sweeps === 'always') found.push(...fencedSweep(world, i, bounds));
  for (const ack of attempt.acks) {
    const acks = attempt.acks.filter((each) => each !== ack);
    found.push([`'${ack.id}' acks ${ack.checkpoint}`, sends({ type: 'ack', ...ack }, world, { acks })]);
  }
  if (phase === 'running') found.push(...barriers(world, attempt, bounds, sends));
  return found;
}

/** What may begin a barrier, or end one. */
function barriers(world: World, attempt: Attempt, bounds: Bounds, sends: Tell): [string, World][] {
  const { state } = attempt;
  const found: [string, World][] = [];
  const wake = wakeAt(state);
  if (wake !== undefined && attempt.ticks > 0) {
    const change = { time: wake, ticks: attempt.ticks - 1 };
    found.push([`at ${wake}`, sends({ type: 'tick', buffered: {} }, world, change)]);
  }
  const request = (label: string, reason: 'savepoint' | 'stop', freezing: Freezing): void => {
    const left = { freezing, barriers: attempt.barriers - (reason === 'stop' ? 0 : 1) };
    found.push([label, sends({ type: 'requested', reason }, world, left)]);
  };
  const later = bounds.acks === 'in any order';
  if (bounds.stops && state.last === undefined && (later || state.log.phase === 'owned'))
    request('is asked to stop', 'stop', { leaveOpen: false, acks: ['in', 'out'], later });
  if (attempt.savepoints > 0 && state.last === undefined && state.savepoint === undefined) {
    const uri = `${attempt.nonce}${attempt.savepoints}`;
    const freezing: Freezing = { leaveOpen: false, acks: ['in', 'out'], later };
    const change = { freezing, savepoints: attempt.savepoints - 1 };
    found.push([`savepoint ${uri}`, sends({ type: 'savepoint', uri }, world, change)]);
  }
  if (attempt.barriers === 0 || state.log.next !== undefined) return found;
  const next = `checkpoint ${state.newest + 1}`;
  const ways = canFreezeOpen(attempt, bounds) ? [false, true] : [false];
  for (const leaveOpen of ways)
    request(leaveOpen ? `${next}, file left open` : next, 'savepoint', {
      leaveOpen,
      acks: ['in', 'out'],
      later,
    });
  if (bounds.failures) request(`${next} fails`, 'savepoint', { leaveOpen: false, acks: ['out'], later });
  return found;
}
