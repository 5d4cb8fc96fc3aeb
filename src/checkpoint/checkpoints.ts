import { ack, begin, tick } from './barriers.js';
import type {
  CheckpointEffect,
  CheckpointInput,
  CheckpointState,
  CheckpointStep,
  Moment,
} from './checkpointState.js';
import { same, report, then } from './checkpointTurn.js';
import { commits, log } from './logTurn.js';
import { isHeldUp, settlement } from './publishing.js';
import { advanceSavepoint, beginSavepoint, endSavepoint } from './savepoints/making.js';

/**
 * The checkpoints of one attempt, without I/O: `step(state, event) → {state, effects}`. The state includes that of
 * the manifest log, whose own step (`manifestLog.ts`) writes the entries.
 *
 *     claiming → claimed → running → publishing → sweeping → settled
 *                   ↘________↘___________↘___________↘ failed
 *
 * 1. **Claim.** The log is claimed and verified before anything else. *Crash:* the next start claims.
 * 2. **Start.** All participants have registered. They are notified of the restored checkpoint, restored committables
 *    go to their sinks, and leftovers of dead attempts are removed. *Crash:* the next start does all of this again.
 * 3. **Barrier.** A barrier is sent to every source at each interval, on request, at a stop, and at the end of the
 *    input (final). A periodic barrier is skipped while a checkpoint is unfinished, and delayed until the minimum
 *    pause since the last one has passed. No barrier follows a stop or final one. *Crash:* the previous checkpoint is
 *    restored.
 * 4. **Acks.** Participants ack with what they froze, in any order. Files that a sink closed are carried from then on,
 *    even if the checkpoint fails; objects that are named are tracked until they are deleted. State acked after a newer
 *    checkpoint was written is no longer needed. A checkpoint is complete once all participants have acked it and
 *    all sinks have acked every earlier barrier: the files that a sink closed for an earlier barrier must be in this
 *    manifest, or their records would be lost.
 * 5. **Manifest.** A complete checkpoint goes to the log, unless a newer one was written first. From here on it
 *    cannot fail: an issued manifest cannot be recalled. *Crash:* the next claim decides whether the manifest counts.
 * 6. **Failure.** A checkpoint fails permanently if acks are missing after the timeout; its late acks are still
 *    carried. A configured number of consecutive failures is tolerated, but never that of the last barrier, as no
 *    other follows it.
 * 7. **Durable.** Participants are notified; all earlier checkpoints are subsumed. Then sinks publish what the entry
 *    carries, in the entry's version: an amended committable must first be in a durable entry, or the next attempt
 *    would publish its earlier version, too. *Crash:* the next attempt publishes again, which is idempotent.
 *    Without an interval, no checkpoint may come that has an amended committable which holds up the others of its sink, and the
 *    sources that wait for that sink. So an entry is written for it.
 * 8. **Settle.** After the last checkpoint, further entries are written until nothing is pending. Then participants
 *    are idle; leftovers are removed before the end is reported. *Crash:* the next attempt settles.
 *
 * Effects are carried out in order, and a crash may come between any two of them. Events that they cause are separate
 * steps. Throws `GarbageReferenced`.
 */
export function step(state: CheckpointState, event: CheckpointInput, at: Moment): CheckpointStep {
  if (state.phase === 'failed') return same(state);
  const turn = then(dispatch(state, event, at), (next) => advanceSavepoint(next, at));
  return then(
    then(turn, (next) => unblock(next, at)),
    (next) => settle(next, at),
  );
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
    case 'savepoint':
      return beginSavepoint(state, event.uri, at);
    case 'copied':
      return same({ ...state, movedAt: at.monotonic });
    case 'savepointed':
      return endSavepoint(state, at);
    case 'tick':
      return tick(state, event.buffered, at);
    case 'ack':
      return ack(state, event.checkpoint, event.id, event.frozen, at);
    case 'confirm':
      return confirm(state, event.sink, event.uid, at);
    case 'amend':
      return amend(state, event, at);
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
  // A start from a savepoint may have died after it had copied objects, which are of epoch 0.
  if (manifest.epoch > 1 || manifest.from !== undefined)
    effects.push({ type: 'sweep', epoch: manifest.epoch - 1, newest: manifest, last: false });
  return { state: { ...state, phase: 'running', dueAt }, effects };
}

// 7. Durable: sinks confirm and amend.

function confirm(state: CheckpointState, sink: string, uid: string, at: Moment): CheckpointStep {
  const { pending } = state.log.inventory;
  if (!pending.some((each) => each.sink === sink && each.committable.uid === uid)) return same(state);
  const turn = report({ ...state, movedAt: at.monotonic }, { type: 'confirmed', sink, uid });
  return then(turn, (next) => log(next, { type: 'confirm', sink, uid }, at));
}

function amend(
  state: CheckpointState,
  event: Extract<CheckpointInput, { readonly type: 'amend' }>,
  at: Moment,
): CheckpointStep {
  const { objects = [] } = event.committable;
  return then(log(state, { type: 'named', objects, checkpoint: state.newest }, at), (next) =>
    log(next, event, at),
  );
}

function unblock(state: CheckpointState, at: Moment): CheckpointStep {
  if (state.phase !== 'running' || state.settings.intervalMs !== undefined || !isHeldUp(state.log))
    return same(state);
  const { last } = state.log;
  if (last === undefined) return same(state);
  const { checkpoint, operators, finished = false } = last.manifest;
  return log(state, { type: 'write', draft: { checkpoint, operators, final: finished } }, at);
}

// 8. Settle: one more entry once everything pending in the newest one is confirmed or amended.

function settle(state: CheckpointState, at: Moment): CheckpointStep {
  if (state.phase !== 'publishing') return same(state);
  const next = settlement(state.log);
  if (next === 'waiting' && state.rules.settle) return same(state);
  if (next !== 'waiting' && 'operators' in next) return log(state, { type: 'write', draft: next }, at);
  const manifest = next === 'waiting' ? state.log.last?.manifest : next.manifest;
  if (manifest === undefined || state.savepoint !== undefined) return same(state);
  return {
    state: { ...state, phase: 'sweeping', movedAt: at.monotonic },
    effects: [{ type: 'sweep', epoch: manifest.epoch, newest: manifest, last: true }],
  };
}

function swept(state: CheckpointState): CheckpointStep {
  const { last } = state.log;
  if (state.phase !== 'sweeping' || last === undefined) return same(state);
  const { n, finished } = last.manifest;
  const turn = report({ ...state, phase: 'settled' }, { type: 'settled', n, finished: finished === true });
  return { state: turn.state, effects: [...turn.effects, { type: 'settled' }] };
}
