import type { CheckpointState, CheckpointStep, Moment, SavepointState } from '../checkpointState.js';
import { begin } from '../barriers.js';
import { same, then } from '../checkpointTurn.js';
import { savepointFailed, savepointOpen, type CheckpointError } from '../errors.js';
import { log } from '../logTurn.js';
import { settlement } from '../publishing.js';

/**
 * A savepoint is a checkpoint with a copy of everything that it refers to, in a folder of its own. It belongs to the
 * user: no job deletes it, and nothing in it refers to the job's directory.
 *
 *     waiting → written → publishing → copying → made
 *         ↘________↘___________↘__________↘ failed; the job continues
 *
 * 1. **Barrier.** A barrier of reason `savepoint` is sent. Sinks close all their files there, as an upload can be
 *    completed only by the job that made it. *Crash:* the previous checkpoint is restored.
 * 2. **Entry.** The checkpoint is written like any other, as an entry of kind `savepoint` with the URI of the copy.
 *    If it is subsumed, the newer checkpoint takes its place. If a sink left work open, the savepoint fails. From the
 *    moment the entry is issued, its objects are pinned: later entries do not declare them garbage. *Crash:* the entry
 *    is a checkpoint. Pins end with the attempt that copies.
 * 3. **Publishing.** The job itself publishes everything that the entry has pending, so that the records before the
 *    barrier are in its output, and a job that starts from the savepoint neither repeats nor misses one. *Crash:* the
 *    next attempt publishes; the folder is empty.
 * 4. **Copying.** Every object that a snapshot refers to is looked up, and the root is encoded, which may be too large.
 *    Then each object is copied into the folder, by the server where possible (`copy.ts`). *Crash:* a folder without a root, which `SavepointIncomplete` reports.
 * 5. **Root.** Written last, by one request: the savepoint exists. *Crash before:* as in 4. *Crash after:* it is
 *    complete, but the caller does not receive its URI. The same holds if the store's answer is lost.
 * 6. **Over.** The pins are removed. An attempt that is asked to stop ends only now.
 *
 * Only one is made at a time.
 */
export function beginSavepoint(state: CheckpointState, uri: string, at: Moment): CheckpointStep {
  if (state.phase !== 'running' || state.last !== undefined || state.savepoint !== undefined)
    return { state, effects: [{ type: 'savepoint-failed', uri, error: ending(uri) }] };
  const checkpoint = state.newest + 1;
  return begin({ ...state, savepoint: { phase: 'waiting', uri, checkpoint } }, 'savepoint', at);
}

/** The next step, after anything has changed. */
export function advanceSavepoint(state: CheckpointState, at: Moment): CheckpointStep {
  const { savepoint, rounds } = state;
  if (savepoint === undefined) return same(state);
  const { uri, manifest, checkpoint } = savepoint;
  if (savepoint.phase === 'waiting') {
    const round = rounds.find((each) => each.checkpoint === checkpoint);
    return round?.phase === 'failed'
      ? failed(state, savepointFailed(uri, noAcks(checkpoint)), at)
      : same(state);
  }
  if (savepoint.phase === 'written') return durable(state, savepoint, at);
  if (savepoint.phase !== 'publishing' || manifest === undefined) return same(state);
  const unconfirmed = new Set(state.log.inventory.pending.map(({ committable }) => committable.uid));
  const isPublished = manifest.pending.every(({ committable }) => !unconfirmed.has(committable.uid));
  if (!isPublished && state.rules.savepointPublished) return amended(state, at);
  return {
    state: { ...state, savepoint: { ...savepoint, phase: 'copying' } },
    effects: [{ type: 'copy-savepoint', uri, manifest }],
  };
}

function durable(state: CheckpointState, savepoint: SavepointState, at: Moment): CheckpointStep {
  const manifest = state.log.last?.manifest;
  if (manifest?.kind !== 'savepoint' || manifest.savepoint !== savepoint.uri) return same(state);
  const open = Object.entries(manifest.operators).filter(([, operator]) => operator.open.length > 0);
  if (open.length > 0 && state.rules.savepointClosed)
    return failed(
      state,
      savepointOpen(
        savepoint.uri,
        open.map(([id]) => id),
      ),
      at,
    );
  return advanceSavepoint({ ...state, savepoint: { ...savepoint, phase: 'publishing', manifest } }, at);
}

/** An amended committable is published once an entry has it, which need not wait for the next checkpoint. */
function amended(state: CheckpointState, at: Moment): CheckpointStep {
  if (state.phase !== 'running') return same(state);
  const next = settlement(state.log);
  return next !== 'waiting' && 'operators' in next
    ? log(state, { type: 'write', draft: next }, at)
    : same(state);
}

/** Made or failed. */
export function endSavepoint(state: CheckpointState, at: Moment): CheckpointStep {
  return log({ ...state, savepoint: undefined }, { type: 'unpin' }, at);
}

function failed(state: CheckpointState, error: unknown, at: Moment): CheckpointStep {
  const { uri = '' } = state.savepoint ?? {};
  return then({ state, effects: [{ type: 'savepoint-failed', uri, error }] }, (next) =>
    endSavepoint(next, at),
  );
}

const noAcks = (checkpoint: number): Error =>
  new Error(`Its checkpoint ${checkpoint} has failed, because operators had not acked it in time.`);

const ending = (uri: string): CheckpointError =>
  savepointFailed(uri, new Error('The job has sent its last barrier, and is about to end.'));
