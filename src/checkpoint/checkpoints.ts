import type { Committable } from '../flow/index.js';
import { ack, begin, tick } from './barriers.js';
import type {
  CheckpointEffect,
  CheckpointInput,
  CheckpointState,
  CheckpointStep,
  Moment,
} from './checkpointState.js';
import { same, tell, then } from './checkpointTurn.js';
import { commits, log } from './logTurn.js';
import { settlement } from './publishing.js';

/**
 * The checkpoints of one attempt, without I/O: `step(state, event) → {state, effects}`. The manifest log is a part of
 * the state; its own step tells how an entry is written.
 *
 *     claiming → claimed → running → publishing → sweeping → settled
 *                   ↘________↘___________↘___________↘ failed
 *
 * 1. **Claim.** The log is claimed and verified before anyone hears of this attempt. *Crash:* the next start claims.
 * 2. **Start.** All participants are there, and hear which checkpoint they were restored from. Restored committables go to their sinks; what dead attempts left is removed.
 * 3. **Barrier.** One is sent to every source: at each interval, but not while a checkpoint is unfinished (that turn
 *    is skipped) and not before a pause since the last one ended (that turn waits); when one is requested; at a stop;
 *    at the end of the input (final). Nothing follows a stop or a final one. *Crash:* the previous checkpoint is restored.
 * 4. **Acks.** Each participant acks with what it froze, in any order. What sinks closed is carried from then on,
 *    whatever becomes of the checkpoint, and what was named is tracked, so that it is deleted one day. State that is
 *    acked after a newer checkpoint was written needs nothing any more. A checkpoint is complete once everyone has
 *    acked it, and every sink has acked all barriers before it: what a sink closed for an earlier barrier belongs in
 *    this manifest, or its records would be in none.
 * 5. **Manifest.** A complete checkpoint goes to the log, unless a newer one was there first. From here on it cannot
 *    fail: an issued manifest cannot be recalled. *Crash:* the next claim decides whether it counts.
 * 6. **Failure.** A checkpoint that lacks acks for too long has failed, for good; its late acks are still carried. Some
 *    failures in a row are tolerated, but never that of the last barrier: no other follows it.
 * 7. **Durable.** Participants hear of it; it subsumes all before it. Then sinks are told to publish what this very entry carries, in the entry's
 *    version: an amended committable must be in a durable entry first, or the next attempt would publish it once more in
 *    its own way. *Crash:* the next attempt publishes it again, which is idempotent.
 * 8. **Settle.** After the last checkpoint, further entries are written until nothing is pending. Participants have
 *    nothing under way then; what is left over is removed before anyone hears of the end. *Crash:* the next attempt
 *    settles.
 *
 * A step that gives several effects may crash between any two of them. Effects are carried out in order; events that
 * they cause are steps of their own. Throws `GarbageReferenced`.
 */
export function step(state: CheckpointState, event: CheckpointInput, at: Moment): CheckpointStep {
  if (state.phase === 'failed') return same(state);
  return then(dispatch(state, event, at), (next) => settle(next, at));
}

function dispatch(state: CheckpointState, event: CheckpointInput, at: Moment): CheckpointStep {
  switch (event.type) {
    case 'claim':
      return log(state, { type: 'start' }, at);
    case 'answered':
      return log(state, event.answer, at);
    case 'start':
      return start({ ...state, participants: event.participants }, at);
    case 'requested':
      return begin(state, event.reason, at);
    case 'tick':
      return tick(state, event.buffered, at);
    case 'ack':
      return ack(state, event.checkpoint, event.id, event.frozen, at);
    case 'confirm':
      return confirm(state, event.sink, event.uid, at);
    case 'amend':
      return amend(state, event.sink, event.committable, at);
    case 'swept':
      return swept(state);
  }
}

// 2. Start.

function start(state: CheckpointState, at: Moment): CheckpointStep {
  const { last } = state.log;
  if (state.phase !== 'claimed' || last === undefined) return same(state);
  const { manifest } = last;
  const { intervalMs } = state.settings;
  const dueAt = intervalMs === undefined ? undefined : at.monotonic + intervalMs;
  const effects: CheckpointEffect[] = [{ type: 'durable', checkpoint: manifest.checkpoint }];
  if (state.rules.publishRestored) effects.push(...commits(state, manifest));
  if (manifest.epoch > 1)
    effects.push({ type: 'sweep', epoch: manifest.epoch - 1, standing: manifest, last: false });
  return { state: { ...state, phase: 'running', dueAt }, effects };
}

// 7. Durable: sinks tell what they have published.

function confirm(state: CheckpointState, sink: string, uid: string, at: Moment): CheckpointStep {
  const { pending } = state.log.inventory;
  if (!pending.some((each) => each.sink === sink && each.committable.uid === uid)) return same(state);
  const turn = tell({ ...state, movedAt: at.monotonic }, { type: 'confirmed', sink, uid });
  return then(turn, (next) => log(next, { type: 'confirm', sink, uid }, at));
}

function amend(state: CheckpointState, sink: string, committable: Committable, at: Moment): CheckpointStep {
  const { objects = [] } = committable;
  return then(log(state, { type: 'named', objects, checkpoint: state.newest }, at), (next) =>
    log(next, { type: 'amend', sink, committable }, at),
  );
}

// 8. Settle: one more entry once everything in the newest one has moved on.

function settle(state: CheckpointState, at: Moment): CheckpointStep {
  if (state.phase !== 'publishing') return same(state);
  const next = settlement(state.log, state.last === 'final');
  if (next === 'waiting' && state.rules.settle) return same(state);
  if (next !== 'waiting' && 'operators' in next) return log(state, { type: 'write', draft: next }, at);
  const manifest = next === 'waiting' ? state.log.last?.manifest : next.manifest;
  if (manifest === undefined) return same(state);
  return {
    state: { ...state, phase: 'sweeping', movedAt: at.monotonic },
    effects: [{ type: 'sweep', epoch: manifest.epoch, standing: manifest, last: true }],
  };
}

function swept(state: CheckpointState): CheckpointStep {
  const { last } = state.log;
  if (state.phase !== 'sweeping' || last === undefined) return same(state);
  const { n, finished } = last.manifest;
  const turn = tell({ ...state, phase: 'settled' }, { type: 'settled', n, finished: finished === true });
  return { state: turn.state, effects: [...turn.effects, { type: 'settled' }] };
}
