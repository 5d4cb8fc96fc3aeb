import type { Committable, Json } from '../../src/flow/index.js';
import { initial, type LogEffect, type LogEvent, type LogState } from '../../src/checkpoint/logState.js';
import { step } from '../../src/checkpoint/manifestLog.js';
import type { Rules } from '../../src/checkpoint/rules.js';
import {
  isStray,
  logKey,
  logNumber,
  references,
  type Manifest,
  type OperatorState,
} from '../../src/checkpoint/manifest.js';
import { settlement } from '../../src/checkpoint/settlement.js';

/**
 * A world in which some attempts of one job run the real protocol against one store, all at once.
 *
 * Nobody ever crashes here, and yet every crash is covered: an attempt that is never given another turn is a crashed one,
 * and one that gets it late is a zombie. So is a slow Complete: an effect that nobody has carried out yet.
 * A PUT has three fates: it lands and is answered; it lands and the answer is lost; the answer is lost and it lands later, or never.
 *
 * The job reads units of input; each checkpoint takes the next unit into a file that is published once the checkpoint is
 * durable, or leaves the file open for the next. Each writes one data object, which its snapshot and its open file refer to.
 *
 * Sweeps look first, and remove what they found at any time later: by then others have gone on.
 */
export interface World {
  /** By log number. */
  readonly slots: readonly Manifest[];
  /** The highest slot that was ever filled. */
  readonly highest: number;
  /** Data objects, with who wrote them last. */
  readonly objects: ReadonlyMap<string, string>;
  /** Unpublished uploads, by uid. */
  readonly uploads: ReadonlySet<string>;
  readonly published: ReadonlyMap<string, Units>;
  /** PUTs that nobody waits for any more, and that may still land. */
  readonly delayed: readonly Manifest[];
  /** PUTs that may still fall in doubt. */
  readonly doubts: number;
  readonly attempts: readonly Attempt[];
}

interface Units {
  readonly from: number;
  readonly to: number;
}

interface Attempt {
  readonly log: LogState;
  /** The request of the log that is under way. */
  readonly asked: LogEffect | undefined;
  readonly owner: boolean;
  /** What dead attempts left is not looked for yet. */
  readonly sweeps: boolean;
  /** Its last barrier is sent. */
  readonly settling: boolean;
  /** It has looked for what it left itself, the last thing that it does. */
  readonly over: boolean;
  /** Leftovers that were found. */
  readonly found: readonly Found[];
  readonly completes: readonly Committable[];
  readonly deletes: readonly (readonly string[])[];
  readonly position: number;
  readonly checkpoint: number;
  readonly barriers: number;
  readonly open: Committable | undefined;
}

interface Found {
  readonly uploads: readonly string[];
  /** Data objects and log entries. */
  readonly keys: readonly string[];
}

export interface Bounds {
  readonly units: number;
  /** How many barriers each attempt may send; their number is the number of attempts. */
  readonly barriers: readonly number[];
  readonly doubts: number;
  /** Claims that each attempt may make: two that claim in turn could go on for ever. */
  readonly claims: number;
  /** Whether files may stay open over a barrier. */
  readonly openFiles: boolean;
  /** Whether checkpoints may fail before they are written. */
  readonly failures: boolean;
  /** Whether attempts remove leftovers only when they start, or also when they have settled, and when they are fenced. */
  readonly sweeps: 'at the start' | 'always';
  /** Whose newest entry a fenced attempt trusts to name what must stay. Default, and safe: its heir's. */
  readonly trusts?: 'its own';
  /** `false` switches a rule off; those not named are on. */
  readonly rules: Partial<Rules>;
}

export interface Action {
  readonly label: string;
  readonly world: World;
}

export function firstWorld(bounds: Bounds): World {
  const attempts = bounds.barriers.map((barriers, i): Attempt => {
    const nonce = 'ABCDE'.charAt(i);
    return {
      log: initial({ job: 'model', jobId: 'model', nonce, retained: 1 }, bounds.rules),
      asked: undefined,
      owner: false,
      sweeps: false,
      settling: false,
      over: false,
      found: [],
      completes: [],
      deletes: [],
      position: 0,
      checkpoint: 0,
      barriers,
      open: undefined,
    };
  });
  const none = new Map<string, never>();
  return {
    slots: [],
    highest: 0,
    objects: none,
    uploads: new Set(),
    published: none,
    delayed: [],
    doubts: bounds.doubts,
    attempts,
  };
}

/** Everything that can happen next. */
export function actions(world: World, bounds: Bounds): Action[] {
  const found: Action[] = [];
  const can = (label: string, next: World | undefined): void => {
    if (next !== undefined) found.push({ label, world: next });
  };
  for (const manifest of world.delayed) {
    const delayed = world.delayed.filter((each) => each !== manifest);
    can(`the delayed PUT of ${name(manifest)} lands`, land({ ...world, delayed }, manifest));
  }
  world.attempts.forEach((attempt, i) => {
    const who = attempt.log.self.nonce;
    const tell = (event: LogEvent, base: World = world, change: Partial<Attempt> = {}): World =>
      advance(base, i, { ...attempt, ...change }, event);
    const before = world.attempts[i - 1];
    if (attempt.log.phase === 'idle' && (before === undefined || before.log.phase !== 'idle')) {
      can(`${who} starts`, tell({ type: 'start' }));
    }
    for (const [label, next] of answers(world, attempt, bounds.claims, tell)) can(`${who} ${label}`, next);
    attempt.deletes.forEach((keys, k) => {
      const deletes = attempt.deletes.filter((_, at) => at !== k);
      const gone: LogEvent = { type: 'deleted', keys, failed: [] };
      can(`${who} deletes ${keys.join(' ')}`, tell(gone, remove(world, keys), { deletes }));
    });
    attempt.completes.forEach((committable) => {
      const { uid } = committable;
      const completes = attempt.completes.filter((each) => each !== committable);
      const done: LogEvent = { type: 'confirm', sink: 'out', uid };
      can(`${who} completes ${uid}`, tell(done, publish(world, committable), { completes }));
    });
    attempt.found.forEach((found) => {
      const left = { ...attempt, found: attempt.found.filter((each) => each !== found) };
      can(
        `${who} removes ${[...found.uploads, ...found.keys].join(' ')}`,
        replace(clear(world, found), i, left),
      );
    });
    if (!attempt.owner || attempt.over) return;
    for (const [label, next] of sweeps(world, i, bounds, tell)) can(`${who} ${label}`, next);
    if (
      attempt.settling ||
      attempt.log.phase === 'fenced' ||
      attempt.barriers === 0 ||
      attempt.log.next !== undefined
    )
      return;
    for (const open of bounds.openFiles ? [false, true] : [false]) {
      can(
        `${who} checkpoint ${attempt.checkpoint + 1}${open ? ', file left open' : ''}`,
        barrier(world, i, bounds.units, open, true),
      );
    }
    if (bounds.failures)
      can(`${who} checkpoint ${attempt.checkpoint + 1} fails`, barrier(world, i, bounds.units, false, false));
  });
  return found;
}

type Tell = (event: LogEvent, base?: World, change?: Partial<Attempt>) => World;

/** The fates of the request that an attempt's log waits for. */
function answers(world: World, attempt: Attempt, claims: number, tell: Tell): [string, World][] {
  const { asked } = attempt;
  const idle = { asked: undefined };
  switch (asked?.type) {
    case 'list': {
      if (attempt.log.phase === 'listing' && attempt.log.serial >= claims) return [];
      const entries = world.slots
        .filter(({ n }) => n >= asked.from)
        .map(({ n, putId }) => ({ n, etag: putId }));
      return [
        [
          `LIST ≥${asked.from} → ${entries.map(({ n }) => n).join(' ') || 'nothing'}`,
          tell({ type: 'listed', entries }, world, idle),
        ],
      ];
    }
    case 'get': {
      const manifest = world.slots.find(({ n }) => n === asked.n);
      const entry = manifest && { manifest, etag: manifest.putId };
      return [
        [
          `GET ${asked.n} → ${manifest ? name(manifest) : 'nothing'}`,
          tell({ type: 'got', entry }, world, idle),
        ],
      ];
    }
    case 'put': {
      const { manifest } = asked;
      const landed = land(world, manifest);
      const free = landed !== world;
      const label = `PUT ${name(manifest)} at ${manifest.n}`;
      const outcome: LogEvent = free ? { type: 'created', etag: manifest.putId } : { type: 'taken' };
      const fates: [string, World][] = [[`${label} → ${free ? '200' : '412'}`, tell(outcome, landed, idle)]];
      if (world.doubts === 0) return fates;
      const doubts = world.doubts - 1;
      const doubt: LogEvent = { type: 'in-doubt' };
      if (free) fates.push([`${label} lands, answer lost`, tell(doubt, { ...landed, doubts }, idle)]);
      if (!world.delayed.includes(manifest)) {
        const delayed = [...world.delayed, manifest];
        fates.push([`${label} is on its way, in doubt`, tell(doubt, { ...world, doubts, delayed }, idle)]);
      }
      return fates;
    }
    default:
      return [];
  }
}

function advance(world: World, i: number, attempt: Attempt, event: LogEvent): World {
  const { state, effects } = step(attempt.log, event, 0);
  let next: Attempt = { ...attempt, log: state };
  for (const effect of effects) {
    switch (effect.type) {
      case 'list':
      case 'get':
      case 'put':
        next = { ...next, asked: effect };
        break;
      case 'claimed': {
        const { manifest } = effect;
        const completes = manifest.pending.map(({ committable }) => committable);
        next = {
          ...next,
          owner: true,
          sweeps: manifest.epoch > 1,
          completes,
          position: positionOf(manifest),
          checkpoint: manifest.checkpoint,
        };
        break;
      }
      case 'durable': {
        const known = new Set(next.completes.map(({ uid }) => uid));
        const unconfirmed = new Set(state.ledger.pending.map(({ committable }) => committable.uid));
        const more = effect.manifest.pending
          .map(({ committable }) => committable)
          .filter(({ uid }) => !known.has(uid) && unconfirmed.has(uid));
        next = { ...next, completes: [...next.completes, ...more] };
        break;
      }
      case 'delete':
        next = { ...next, deletes: [...next.deletes, effect.keys] };
        break;
      case 'fenced':
      case 'failed':
      case 'subsumed':
        break;
    }
  }
  return replace(world, i, next);
}

/** The attempt takes the next unit, writes a data object, and freezes. */
function barrier(
  world: World,
  i: number,
  units: number,
  leaveOpen: boolean,
  succeeds: boolean,
): World | undefined {
  const attempt = world.attempts[i]!;
  const { epoch } = attempt.log.last!.manifest;
  const checkpoint = attempt.checkpoint + 1;
  const by = attempt.log.self.nonce;
  const object = `data/${epoch}/${checkpoint}`;
  const from = attempt.open === undefined ? attempt.position : (attempt.open['from'] as number);
  const to = Math.min(attempt.position + 1, units);
  const uid = attempt.open?.uid ?? `${epoch}.${checkpoint}`;
  if (leaveOpen && from === to) return undefined;
  const open: Committable | undefined = leaveOpen
    ? { uid, from, to, by, objects: [...(attempt.open?.objects ?? []), object] }
    : undefined;
  const closed: Committable[] = leaveOpen || from === to ? [] : [{ uid, from, to }];
  const operators: Record<string, OperatorState> = {
    in: { kind: 'source', snapshot: { position: to, by }, open: [], objects: [object] },
    out: { kind: 'sink', open: open ? [open] : [], objects: [] },
  };
  const after: World = {
    ...world,
    objects: new Map(world.objects).set(object, by),
    uploads: from === to ? world.uploads : new Set(world.uploads).add(uid),
  };
  const changed: Attempt = { ...attempt, open, position: to, checkpoint, barriers: attempt.barriers - 1 };
  const events: LogEvent[] = [
    { type: 'named', objects: [object], checkpoint },
    { type: 'closed', sink: 'out', committables: closed, checkpoint },
  ];
  if (succeeds) events.push({ type: 'write', draft: { checkpoint, operators, final: false } });
  let next = replace(after, i, changed);
  for (const event of events) next = advance(next, i, next.attempts[i]!, event);
  return next;
}

/** When an attempt looks for leftovers. */
function sweeps(world: World, i: number, bounds: Bounds, tell: Tell): [string, World][] {
  const attempt = world.attempts[i]!;
  const ways: [string, World][] = [];
  if (attempt.sweeps && attempt.log.phase !== 'fenced') {
    const last = attempt.log.last!.manifest;
    const looked = look(world, attempt, last.epoch - 1, last);
    ways.push(['looks for what others have left', replace(world, i, { ...looked, sweeps: false })]);
  }
  return bounds.sweeps === 'always' ? [...ways, ...lastSweeps(world, i, bounds, tell)] : ways;
}

function lastSweeps(world: World, i: number, { trusts }: Bounds, tell: Tell): [string, World][] {
  const attempt = world.attempts[i]!;
  const { log } = attempt;
  const last = log.last!.manifest;
  if (log.phase === 'fenced') {
    const newest = trusts === undefined ? world.slots.at(-1) : last;
    if (newest === undefined || (trusts === undefined && newest.epoch <= last.epoch)) return [];
    const issued = log.issued?.manifest.n;
    const strays = issued !== undefined && isStray(issued, newest) ? [logKey(issued)] : [];
    const over = look(world, attempt, last.epoch, newest, strays);
    return [['looks for what it has left', replace(world, i, { ...over, over: true, sweeps: false })]];
  }
  if (!attempt.settling)
    return log.phase === 'owned' && log.next === undefined
      ? [['ends', replace(world, i, { ...attempt, settling: true })]]
      : [];
  const settling = settlement(log, false);
  if (settling === 'waiting') return [];
  if ('operators' in settling) return [['writes on', tell({ type: 'write', draft: settling })]];
  const settled = look(world, attempt, last.epoch, settling.manifest);
  return [['has settled', replace(world, i, { ...settled, over: true, sweeps: false })]];
}

/** What is of attempts up to `epoch`, and not named in `newest`. */
function look(
  world: World,
  attempt: Attempt,
  epoch: number,
  newest: Manifest,
  strays: readonly string[] = [],
): Attempt {
  const open = Object.values(newest.operators).flatMap((operator) => operator.open);
  const files = new Set(
    [...open, ...newest.pending.map(({ committable }) => committable)].map(({ uid }) => uid),
  );
  const objects = references(newest);
  const uploads = [...world.uploads].filter((uid) => Number(uid.split('.')[0]) <= epoch && !files.has(uid));
  const keys = [...world.objects.keys()].filter(
    (key) => Number(key.split('/')[1]) <= epoch && !objects.has(key),
  );
  if (uploads.length + keys.length + strays.length === 0) return attempt;
  return { ...attempt, found: [...attempt.found, { uploads, keys: [...keys, ...strays] }] };
}

function clear(world: World, { uploads, keys }: Found): World {
  const left = [...world.uploads].filter((uid) => !uploads.includes(uid));
  return { ...remove(world, keys), uploads: new Set(left) };
}

function replace(world: World, i: number, attempt: Attempt): World {
  return { ...world, attempts: world.attempts.map((each, at) => (at === i ? attempt : each)) };
}

/** The same world if the slot is taken. */
function land(world: World, manifest: Manifest): World {
  if (world.slots.some(({ n }) => n === manifest.n)) return world;
  const slots = [...world.slots, manifest].sort((a, b) => a.n - b.n);
  return { ...world, slots, highest: Math.max(world.highest, manifest.n) };
}

function publish(world: World, committable: Committable): World {
  const { uid } = committable;
  if (!world.uploads.has(uid)) return world;
  const uploads = new Set(world.uploads);
  uploads.delete(uid);
  const published = new Map(world.published).set(uid, unitsOf(committable));
  return { ...world, uploads, published };
}

function remove(world: World, keys: readonly string[]): World {
  const objects = new Map(world.objects);
  for (const key of keys) objects.delete(key);
  const gone = new Set(keys.map(logNumber));
  return { ...world, objects, slots: world.slots.filter(({ n }) => !gone.has(n)) };
}

export function unitsOf(committable: Committable): Units {
  return { from: committable['from'] as number, to: committable['to'] as number };
}

export function positionOf(manifest: Manifest): number {
  return fieldOf(manifest.operators['in']?.snapshot, 'position', 0);
}

export function fieldOf<T extends Json>(value: Json | undefined, field: string, otherwise: T): T {
  return ((value as Record<string, Json> | undefined)?.[field] as T | undefined) ?? otherwise;
}

function name(manifest: Manifest): string {
  return `${manifest.putId}${manifest.kind === 'claim' ? ` (claim, epoch ${manifest.epoch})` : ` (checkpoint ${manifest.checkpoint})`}`;
}
