import type { CheckpointState, CheckpointStep } from './checkpointState.js';
import type { CheckpointEvent } from './events.js';

/** A step without effects. */
export function same(state: CheckpointState): CheckpointStep {
  return { state, effects: [] };
}

export function report(state: CheckpointState, event: CheckpointEvent): CheckpointStep {
  return { state, effects: [{ type: 'report', event }] };
}

/** Continues a step with `next`, unless it has failed. */
export function then(turn: CheckpointStep, next: (state: CheckpointState) => CheckpointStep): CheckpointStep {
  if (turn.state.phase === 'failed') return turn;
  const { state, effects } = next(turn.state);
  return { state, effects: [...turn.effects, ...effects] };
}

export function fail(state: CheckpointState, error: unknown): CheckpointStep {
  return { state: { ...state, phase: 'failed' }, effects: [{ type: 'fail', error }] };
}
