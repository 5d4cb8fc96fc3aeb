import { isLast, type CheckpointReason, type Frozen } from '../flow/index.js';
import type { CheckpointEffect, CheckpointState, CheckpointStep, Moment, Round } from './checkpointState.js';
import { fail, same, report, then } from './checkpointTurn.js';
import { isDataName, noDataName } from './dataPlace.js';
import { checkpointFailed, timeoutMessage } from './errors.js';
import type { LogEvent } from './logState.js';
import { log } from './logTurn.js';
import { isUnfinished, mayFail, newRound, readyRound, replaceRound, waitingFor, withAck } from './rounds.js';

/** From a barrier to its manifest or failure: steps 3 to 6 of `checkpoints.ts`. */

/** When a `tick` is due. */
export function wakeAt(state: CheckpointState): number | undefined {
  if (state.phase !== 'running') return undefined;
  const timeouts = state.rounds
    .filter((round) => mayFail(round, state.rules))
    .map(({ startedAt }) => startedAt + state.settings.timeoutMs);
  const next = Math.min(state.dueAt ?? Infinity, ...timeouts);
  return next === Infinity ? undefined : next;
}

// 3. Barriers.

export function begin(state: CheckpointState, reason: CheckpointReason, at: Moment): CheckpointStep {
  if (state.phase !== 'running' || (state.last !== undefined && state.rules.nothingAfterLast))
    return same(state);
  const round = newRound(state, reason, at.monotonic);
  const { checkpoint } = round;
  const begun: CheckpointState = {
    ...state,
    newest: checkpoint,
    rounds: [...state.rounds, round],
    last: isLast(reason) ? reason : state.last,
    dueAt: isLast(reason) && state.rules.nothingAfterLast ? undefined : state.dueAt,
  };
  const effects: CheckpointEffect[] = [
    { type: 'report', event: { type: 'checkpoint-started', checkpoint, reason } },
    { type: 'inject', checkpoint, reason },
  ];
  return then({ state: begun, effects }, (next) => writeReady(next, at));
}

export function tick(
  state: CheckpointState,
  buffered: Readonly<Record<string, number>>,
  at: Moment,
): CheckpointStep {
  let turn = same(state);
  for (const round of state.rounds)
    if (mayFail(round, state.rules) && round.startedAt + state.settings.timeoutMs <= at.monotonic)
      turn = then(turn, (next) => timeOut(next, round, buffered, at));
  return then(turn, (next) => due(next, at));
}

function due(state: CheckpointState, at: Moment): CheckpointStep {
  const { dueAt, endedAt, rules } = state;
  const { intervalMs = Infinity, minPauseMs } = state.settings;
  if (state.phase !== 'running' || dueAt === undefined || dueAt > at.monotonic) return same(state);
  const next = { ...state, dueAt: at.monotonic + intervalMs };
  if (rules.oneUnfinished && state.rounds.some(isUnfinished)) return same(next);
  const pauseEnds = endedAt + minPauseMs;
  if (rules.minPause && pauseEnds > at.monotonic) return same({ ...state, dueAt: pauseEnds });
  return begin(next, 'periodic', at);
}

// 4. Acks.

export function ack(
  state: CheckpointState,
  checkpoint: number,
  id: string,
  frozen: Frozen,
  at: Moment,
): CheckpointStep {
  const { objects = [], open = [], closed = [] } = frozen;
  const inClosed = closed.flatMap((each) => each.objects ?? []);
  const inState = [...objects, ...open.flatMap((each) => each.objects ?? [])];
  const foreign = [...inState, ...inClosed].find((name) => !isDataName(name));
  if (foreign !== undefined) return fail(state, noDataName(`Operator '${id}'`, foreign));
  const round = state.rounds.find((each) => each.checkpoint === checkpoint);
  const turn = same(withAck(state, checkpoint, id, frozen));
  if (round?.phase === 'failed' && !state.rules.lateAcks) return turn;
  const events: LogEvent[] = [
    { type: 'named', objects: [...named(state, round, inState), ...inClosed], checkpoint: state.newest },
    { type: 'closed', sink: id, committables: closed, checkpoint },
  ];
  const carried = events.reduce((reached, event) => then(reached, (next) => log(next, event, at)), turn);
  return then(carried, (next) => writeReady(next, at));
}

/** No entry will hold state that is acked too late, but its new objects are tracked, to delete them. */
function named(
  { rules, written, log: { inventory } }: CheckpointState,
  round: Round | undefined,
  names: string[],
): string[] {
  const overtaken = round === undefined || round.phase !== 'waiting' || round.checkpoint < written;
  if (!overtaken || !rules.overtakenNeedsNothing) return names;
  const declared = new Set(inventory.declared);
  return names.filter((name) => !declared.has(name));
}

// 5. Manifests.

function writeReady(state: CheckpointState, at: Moment): CheckpointStep {
  const round = readyRound(state);
  if (round === undefined || state.phase !== 'running') return same(state);
  const { checkpoint, operators, reason } = round;
  const { savepoint } = state;
  const ofSavepoint = savepoint?.phase === 'waiting' && checkpoint >= savepoint.checkpoint;
  const replaced = replaceRound(state, checkpoint, { phase: 'written', completeAt: at.monotonic });
  const ready: CheckpointState = ofSavepoint
    ? { ...replaced, savepoint: { ...savepoint, phase: 'written' } }
    : replaced;
  const draft = {
    ...{ checkpoint, operators, final: reason === 'final' || isStillOver(state, round) },
    ...(ofSavepoint ? { savepoint: savepoint.uri } : {}),
  };
  const written = log({ ...ready, written: checkpoint }, { type: 'write', draft }, at);
  return then(written, (next) => writeReady(next, at));
}

/** Whether the input was over at the last entry, and no source has read anything since. */
function isStillOver({ log: { last } }: CheckpointState, { operators }: Round): boolean {
  if (last?.manifest.finished !== true) return false;
  const before = last.manifest.operators;
  return Object.entries(operators).every(
    ([id, { kind, snapshot }]) =>
      kind !== 'source' ||
      (Object.hasOwn(before, id) && JSON.stringify(before[id]?.snapshot) === JSON.stringify(snapshot)),
  );
}

// 6. Failures.

function timeOut(
  state: CheckpointState,
  round: Round,
  buffered: Readonly<Record<string, number>>,
  at: Moment,
): CheckpointStep {
  const { rules, settings } = state;
  const { checkpoint, reason, startedAt } = round;
  const durationMs = Math.round(at.monotonic - startedAt);
  const timedOut = { checkpoint, waitingFor: waitingFor(state, round), durationMs, buffered };
  const failures = state.failures + 1;
  const failed = { ...replaceRound(state, checkpoint, { phase: 'failed' }), failures, endedAt: at.monotonic };
  const turn = report(failed, { type: 'checkpoint-failed', ...timedOut, message: timeoutMessage(timedOut) });
  const tolerated = failures <= settings.tolerableFailures || !rules.tolerance;
  if (tolerated && !(isLast(reason) && rules.lastMustSucceed)) return turn;
  return then(turn, (next) => fail(next, checkpointFailed(timedOut)));
}
