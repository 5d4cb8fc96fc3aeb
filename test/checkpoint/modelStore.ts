import type { LogEvent } from '#src/checkpoint/logState.js';
import { logNumber, type Manifest } from '#src/checkpoint/manifest.js';
import type { Committable, Json } from '#src/flow/index.js';
import type { Attempt, World } from './model.js';

/** The possible fates of the request that an attempt's log waits for. */
export function answers(
  world: World,
  { asked, state }: Attempt,
  claims: number,
  answered: (answer: LogEvent, base: World) => World,
): [string, World][] {
  switch (asked?.type) {
    case 'list': {
      if (state.log.phase === 'listing' && state.log.serial >= claims) return [];
      const entries = world.slots
        .filter(({ n }) => n >= asked.from)
        .map(({ n, putId }) => ({ n, etag: putId }));
      const shown = entries.map(({ n }) => n).join(' ') || 'nothing';
      return [[`LIST ≥${asked.from} → ${shown}`, answered({ type: 'listed', entries }, world)]];
    }
    case 'get': {
      const manifest = world.slots.find(({ n }) => n === asked.n);
      const entry = manifest && { manifest, etag: manifest.putId };
      const shown = manifest ? name(manifest) : 'nothing';
      return [[`GET ${asked.n} → ${shown}`, answered({ type: 'got', entry }, world)]];
    }
    case 'put': {
      const { manifest } = asked;
      const landed = land(world, manifest);
      const free = landed !== world;
      const label = `PUT ${name(manifest)} at ${manifest.n}`;
      const outcome: LogEvent = free ? { type: 'created', etag: manifest.putId } : { type: 'taken' };
      const fates: [string, World][] = [[`${label} → ${free ? '200' : '412'}`, answered(outcome, landed)]];
      if (world.doubts === 0) return fates;
      const doubts = world.doubts - 1;
      const doubt: LogEvent = { type: 'in-doubt' };
      if (free) fates.push([`${label} lands, answer lost`, answered(doubt, { ...landed, doubts })]);
      if (!world.delayed.includes(manifest)) {
        const delayed = [...world.delayed, manifest];
        fates.push([`${label} is on its way, in doubt`, answered(doubt, { ...world, doubts, delayed })]);
      }
      return fates;
    }
    default:
      return [];
  }
}

/** The same world if the slot is taken. */
export function land(world: World, manifest: Manifest): World {
  if (world.slots.some(({ n }) => n === manifest.n)) return world;
  const slots = [...world.slots, manifest].sort((a, b) => a.n - b.n);
  return { ...world, slots, highest: Math.max(world.highest, manifest.n) };
}

/** An upload id works once. */
export function publish(world: World, committable: Committable): World {
  const { uid } = committable;
  if (!world.uploads.has(uploadOf(committable))) return world;
  const uploads = new Set(world.uploads);
  uploads.delete(uploadOf(committable));
  const times = (world.published.get(uid)?.times ?? 0) + 1;
  return {
    ...world,
    uploads,
    published: new Map(world.published).set(uid, { ...unitsOf(committable), times }),
  };
}

export function remove(world: World, keys: readonly string[]): World {
  const objects = new Map(world.objects);
  for (const key of keys) objects.delete(key);
  const gone = new Set(keys.map(logNumber));
  return { ...world, objects, slots: world.slots.filter(({ n }) => !gone.has(n)) };
}

/** Leftovers. */
export interface Found {
  readonly uploads: readonly string[];
  /** Data objects and log entries. */
  readonly keys: readonly string[];
}

export function clear(world: World, { uploads, keys }: Found): World {
  const left = [...world.uploads].filter((upload) => !uploads.includes(upload));
  return { ...remove(world, keys), uploads: new Set(left) };
}

export function uploadOf({ uid, ...rest }: Committable): string {
  return (rest['upload'] as string | undefined) ?? uid;
}

export function unitsOf(committable: Committable): { readonly from: number; readonly to: number } {
  return { from: committable['from'] as number, to: committable['to'] as number };
}

export function positionOf(manifest: Manifest): number {
  return fieldOf(manifest.operators['in']?.snapshot, 'position', 0);
}

export function fieldOf<T extends Json>(value: Json | undefined, field: string, otherwise: T): T {
  return ((value as Record<string, Json> | undefined)?.[field] as T | undefined) ?? otherwise;
}

export function name(manifest: Manifest): string {
  return `${manifest.putId}${manifest.kind === 'claim' ? ` (claim, epoch ${manifest.epoch})` : ` (checkpoint ${manifest.checkpoint})`}`;
}
