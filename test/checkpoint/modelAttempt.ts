import { step } from '#src/checkpoint/checkpoints.js';
import type { CheckpointEffect, CheckpointInput } from '#src/checkpoint/checkpointState.js';
import { objectsOf } from '#src/checkpoint/savepoints/root.js';
import type { Committable } from '#src/flow/index.js';
import type { Attempt, Bounds, Tell, World } from './model.js';
import { freeze } from './modelFreeze.js';
import { positionOf, publish, uploadOf } from './modelStore.js';
import { newlySeen, violated, watch } from './modelWatch.js';

/** An attempt makes a step. Effects on the store are queued; the others are carried out immediately. */
export function advance(
  world: World,
  i: number,
  attempt: Attempt,
  event: CheckpointInput,
  bounds: Bounds,
): World {
  let state: Attempt['state'];
  let effects: readonly CheckpointEffect[];
  try {
    ({ state, effects } = step(attempt.state, event, { now: 0, monotonic: attempt.time }));
  } catch (error) {
    return { ...world, wrong: `${attempt.nonce} breaks: ${(error as Error).message}` };
  }
  let next: Attempt = { ...attempt, state };
  let base = world;
  for (const effect of effects) {
    const { seen, wrong } = watch(next, effect);
    next = { ...next, seen };
    if (wrong !== undefined) base = { ...base, wrong: `${attempt.nonce} ${wrong}` };
    switch (effect.type) {
      case 'list':
      case 'get':
      case 'put':
      case 'adopt':
        next = { ...next, asked: effect };
        break;
      case 'claimed':
        next = { ...next, position: positionOf(effect.manifest), seen: newlySeen };
        break;
      case 'inject':
        [base, next] = freeze(base, next, effect.checkpoint, bounds);
        break;
      case 'commit':
        next = { ...next, completes: [...next.completes, ...fresh(next, effect.committables)] };
        break;
      case 'delete':
        next = { ...next, deletes: [...next.deletes, effect.keys] };
        break;
      case 'sweep':
        next = { ...next, sweeps: [...next.sweeps, effect] };
        break;
      case 'copy-savepoint': {
        const { uri, manifest } = effect;
        const left = [...objectsOf(manifest)].sort();
        next = { ...next, copying: { uri, position: positionOf(manifest), left } };
        break;
      }
      case 'settled':
        next = { ...next, over: true };
        break;
      default:
    }
  }
  const wrong = violated(next);
  if (wrong !== undefined) base = { ...base, wrong: `${attempt.nonce} ${wrong}` };
  if (state.phase === 'claimed') {
    const participants = new Map([['in', 'source'] as const, ['out', 'sink'] as const]);
    return advance(base, i, next, { type: 'start', participants }, bounds);
  }
  const after = update(base, i, next);
  return next.freezing.later ? after : ackedAtOnce(after, i, bounds);
}

/** A committer ignores what it is publishing already, and the versions that it has amended. */
function fresh({ completes, seen }: Attempt, committables: readonly Committable[]): readonly Committable[] {
  return committables.filter(
    ({ uid, ...rest }) =>
      !completes.some((each) => each.uid === uid) &&
      (!seen.amended.has(uid) || seen.amended.get(uid) === rest['upload']),
  );
}

function ackedAtOnce(world: World, i: number, bounds: Bounds): World {
  const attempt = world.attempts[i]!;
  const [ack, ...acks] = attempt.acks;
  return ack === undefined ? world : advance(world, i, { ...attempt, acks }, { type: 'ack', ...ack }, bounds);
}

export function update(world: World, i: number, attempt: Attempt): World {
  return { ...world, attempts: world.attempts.map((each, at) => (at === i ? attempt : each)) };
}

/** Its upload is completed, and that confirmed. */
export function publishing(world: World, i: number, committable: Committable, sends: Tell): World {
  const { uid } = committable;
  const completes = world.attempts[i]!.completes.filter((each) => each !== committable);
  return sends({ type: 'confirm', sink: 'out', uid }, publish(world, committable), { completes });
}

/** What was open is uploaded anew, from its journals. */
export function sealing(world: World, i: number, committable: Committable, sends: Tell): World {
  const { uid, from, to } = committable;
  const { nonce, seen, ...attempt } = world.attempts[i]!;
  const amended: Committable = { uid, from, to, upload: `${uid}/${nonce}` };
  const completes = attempt.completes.filter((each) => each !== committable);
  return sends(
    { type: 'amend', sink: 'out', committable: amended },
    { ...world, uploads: new Set(world.uploads).add(uploadOf(amended)) },
    { completes, seen: { ...seen, amended: new Map(seen.amended).set(uid, uploadOf(amended)) } },
  );
}
