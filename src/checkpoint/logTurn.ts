import { isLast } from '../flow/index.js';
import type { CheckpointEffect, CheckpointState, CheckpointStep, Moment } from './checkpointState.js';
import { fail, same, report, then } from './checkpointTurn.js';
import { fenced } from './errors.js';
import type { LogEffect, LogEvent } from './logState.js';
import { step as logStep } from './manifestLog.js';
import type { Manifest } from './manifest.js';
import { toPublish } from './publishing.js';
import { endRounds } from './rounds.js';

/** Makes a step of the log and applies its effects to the checkpoints. Requests are passed on. */
export function log(state: CheckpointState, event: LogEvent, at: Moment): CheckpointStep {
  const { state: next, effects } = logStep(state.log, event, at.now);
  let turn = same({ ...state, log: next });
  for (const effect of effects) turn = then(turn, (reached) => heard(reached, effect, at));
  return turn;
}

function heard(state: CheckpointState, effect: LogEffect, at: Moment): CheckpointStep {
  switch (effect.type) {
    case 'claimed': {
      const { checkpoint } = effect.manifest;
      return { state: { ...state, phase: 'claimed', newest: checkpoint }, effects: [effect] };
    }
    case 'durable':
      return durable(state, effect.manifest, at);
    case 'subsumed':
      return same(state); // reported when the newer checkpoint is durable
    case 'fenced': {
      const error = fenced(state.log.self.job, effect.n);
      return then(report(state, { type: 'fenced', n: effect.n, message: error.message }), (reported) =>
        fail(reported, error),
      );
    }
    case 'failed':
      return fail(state, effect.error);
    default:
      return { state, effects: [effect] };
  }
}

/** Ends the round and all before it; sinks publish. */
function durable(state: CheckpointState, manifest: Manifest, at: Moment): CheckpointStep {
  const { checkpoint, n } = manifest;
  const round = state.rounds.find((each) => each.checkpoint === checkpoint && each.phase !== 'over');
  // First, because an outcome may end the attempt.
  const heardOf: CheckpointEffect = { type: 'durable', checkpoint };
  if (round === undefined) return { state, effects: [heardOf, ...commits(state, manifest)] };
  const durationMs = Math.round(at.monotonic - round.startedAt);
  const { state: next, over } = endRounds(state, checkpoint);
  const ended: CheckpointState = {
    ...next,
    ...(isLast(round.reason) ? { phase: 'publishing', movedAt: at.monotonic } : {}),
    failures: state.rules.inARow ? 0 : state.failures,
    endedAt: at.monotonic,
  };
  // The driver, which encodes the manifest, fills in `bytes`.
  const reported: CheckpointEffect = {
    type: 'report',
    event: { type: 'checkpoint-durable', checkpoint, n, durationMs, bytes: 0 },
  };
  const outcomes = over.map((each): CheckpointEffect => {
    const outcome = each === round ? 'durable' : 'subsumed';
    return { type: 'outcome', checkpoint: each.checkpoint, outcome };
  });
  const subsumed = over
    .filter((each) => each !== round && each.phase !== 'failed')
    .map((each): CheckpointEffect => ({
      type: 'report',
      event: { type: 'checkpoint-subsumed', checkpoint: each.checkpoint, by: checkpoint },
    }));
  return {
    state: ended,
    effects: [heardOf, reported, ...outcomes, ...subsumed, ...commits(ended, manifest)],
  };
}

export function commits(state: CheckpointState, manifest: Manifest): CheckpointEffect[] {
  const bySink = toPublish(manifest, state.log.inventory, state.rules.publishDurable);
  return [...bySink].map(([sink, committables]) => ({ type: 'commit', sink, committables }));
}
