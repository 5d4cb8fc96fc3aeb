import type { CheckpointEffect } from '#src/checkpoint/checkpointState.js';
import { isStray, logKey, references, type Manifest } from '#src/checkpoint/manifest.js';
import type { Attempt, Bounds, Tell, World } from './model.js';
import { update } from './modelAttempt.js';

export type DueSweep = Extract<CheckpointEffect, { type: 'sweep' }>;

/** Looks for leftovers of attempts that are over. */
export function startSweep(world: World, i: number, sweep: DueSweep, sends: Tell): [string, World] {
  const attempt = world.attempts[i]!;
  const sweeps = attempt.sweeps.filter((each) => each !== sweep);
  const { found } = look(world, attempt, sweep.epoch, sweep.newest);
  return sweep.last
    ? ['has settled', sends({ type: 'swept' }, world, { sweeps, found })]
    : ['looks for what others have left', update(world, i, { ...attempt, sweeps, found })];
}

/** A fenced attempt looks for what it has created since its successor swept. */
export function fencedSweep(world: World, i: number, { trusts }: Bounds): [string, World][] {
  const attempt = world.attempts[i]!;
  const { last, issued } = attempt.state.log;
  const { manifest } = last!;
  const newest = trusts === undefined ? world.slots.at(-1) : manifest;
  if (newest === undefined || (trusts === undefined && newest.epoch <= manifest.epoch)) return [];
  const n = issued?.manifest.n;
  const strays = n !== undefined && isStray(n, newest) ? [logKey(n)] : [];
  const over = look(world, attempt, manifest.epoch, newest, strays);
  return [['looks for what it has left', update(world, i, { ...over, over: true, sweeps: [] })]];
}

/** What attempts up to `epoch` have created, and `newest` does not name. */
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
  const uploads = [...world.uploads].filter(
    (upload) => Number(upload.split('.')[0]) <= epoch && !files.has(upload.split('/')[0]!),
  );
  const keys = [...world.objects.keys()].filter(
    (key) => Number(key.split('/')[1]) <= epoch && !objects.has(key),
  );
  if (uploads.length + keys.length + strays.length === 0) return attempt;
  return { ...attempt, found: [...attempt.found, { uploads, keys: [...keys, ...strays] }] };
}
