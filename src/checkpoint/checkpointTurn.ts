import type { CheckpointState, CheckpointStep } from './checkpointState.js';
import type { CheckpointEvent } from './events.js';

/** A step that changes no more than the state. */
export function same(state: CheckpointState): CheckpointStep {
  return { state, effects: [] };
}

export function tell(state: CheckpointState, event: CheckpointEvent): CheckpointStep {
  return { state, effects: [{ type: 'tell', event }] };
}

/** `next` goes on from where a step has led, unless that has failed. */
export function then(turn: CheckpointStep, next: (state: CheckpointState) => CheckpointStep): CheckpointStep {
  if (turn.state.phase === 'failed') return turn;
  const { state, effects } = next(turn.state);
  return { state, effects: [...turn.effects, ...effects] };
}

export function fail(state: CheckpointState, error: unknown): CheckpointStep {
  return { state: { ...state, phase: 'failed' }, effects: [{ type: 'fail', error }] };
}
