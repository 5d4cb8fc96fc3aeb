import type { CheckpointReason, Frozen } from '../flow/index.js';
import type { CheckpointState, Round } from './checkpointState.js';
import type { CheckpointWait } from './contract.js';
import { CheckpointError } from './errors.js';

/**
 * Rounds, one for each barrier, as pure functions of the state.
 *
 *     waiting → written → over
 *        ↘ failed ↗
 */
export function newRound(
  { newest, participants }: CheckpointState,
  reason: CheckpointReason,
  startedAt: number,
): Round {
  return {
    checkpoint: newest + 1,
    reason,
    startedAt,
    completeAt: undefined,
    missing: new Set(participants.keys()),
    operators: {},
    phase: 'waiting',
  };
}

/** Throws `UnknownParticipant` for an id that is not registered, or that has acked this barrier before. */
export function checkAck({ participants, rounds }: CheckpointState, checkpoint: number, id: string): void {
  const registered = participants.has(id);
  if (registered && rounds.some((round) => round.checkpoint === checkpoint && round.missing.has(id))) return;
  throw new CheckpointError(
    'UnknownParticipant',
    registered
      ? `'${id}' acked checkpoint ${checkpoint} twice. Ack each barrier exactly once.`
      : `'${id}' acked checkpoint ${checkpoint} but never registered. Call attempt.register(…) on Open.`,
  );
}

/** Adds what a participant froze to its round. */
export function withAck(
  state: CheckpointState,
  checkpoint: number,
  id: string,
  frozen: Frozen,
): CheckpointState {
  const rounds = state.rounds.map((round) => {
    if (round.checkpoint !== checkpoint) return round;
    const operator = {
      kind: state.participants.get(id) ?? 'operator',
      ...(frozen.snapshot === undefined ? {} : { snapshot: frozen.snapshot }),
      open: frozen.open ?? [],
      objects: frozen.objects ?? [],
      ...(frozen.ended === true ? { ended: true } : {}),
    };
    const missing = new Set(round.missing);
    missing.delete(id);
    return { ...round, missing, operators: { ...round.operators, [id]: operator } };
  });
  return { ...state, rounds: rounds.filter(isKept) };
}

/** The participants whose acks a round waits for: of its own barrier, and of sinks also of earlier barriers. */
export function waitingFor(state: CheckpointState, round: Round): string[] {
  const { allAcks, sinksInOrder } = state.rules;
  const missing = new Set(allAcks ? round.missing : ofKind(state, round, 'source'));
  if (sinksInOrder)
    for (const earlier of state.rounds)
      if (earlier.checkpoint < round.checkpoint)
        for (const id of ofKind(state, earlier, 'sink')) missing.add(id);
  return [...missing];
}

function ofKind({ participants }: CheckpointState, { missing }: Round, kind: string): string[] {
  return [...missing].filter((id) => participants.get(id) === kind);
}

/** The oldest round that may be written now. None may be written after a newer one. */
export function readyRound(state: CheckpointState): Round | undefined {
  const { newerOnly, failedForGood } = state.rules;
  return state.rounds.find(
    (round) =>
      (round.phase === 'waiting' || (round.phase === 'failed' && !failedForGood)) &&
      (round.checkpoint > state.written || !newerOnly) &&
      waitingFor(state, round).length === 0,
  );
}

export function isUnfinished({ phase }: Round): boolean {
  return phase === 'waiting' || phase === 'written';
}

/** Whether it can time out. */
export function mayFail({ phase }: Round, { issuedNeverFails }: CheckpointState['rules']): boolean {
  return phase === 'waiting' || (phase === 'written' && !issuedNeverFails);
}

export function replaceRound(
  state: CheckpointState,
  checkpoint: number,
  change: Partial<Round>,
): CheckpointState {
  const rounds = state.rounds.map((round) =>
    round.checkpoint === checkpoint ? { ...round, ...change } : round,
  );
  return { ...state, rounds };
}

/**
 * A checkpoint is durable: ends its round and all earlier ones. Returns those, oldest first, and the state without them.
 */
export function endRounds(
  state: CheckpointState,
  checkpoint: number,
): { readonly state: CheckpointState; readonly over: readonly Round[] } {
  const over = state.rounds.filter(
    (round) =>
      round.phase !== 'over' &&
      (state.rules.subsumes ? round.checkpoint <= checkpoint : round.checkpoint === checkpoint),
  );
  const rounds = state.rounds
    .map((round) => (over.includes(round) ? { ...round, phase: 'over' as const } : round))
    .filter(isKept);
  return { state: { ...state, rounds }, over };
}

/** A round that is over is kept while acks are missing that later rounds may wait for. */
const isKept = ({ phase, missing }: Round): boolean => phase !== 'over' || missing.size > 0;

/** The wait of the oldest unfinished checkpoint, or, after the last one, of its publishing and its savepoint. */
export function waitOf(state: CheckpointState): CheckpointWait | undefined {
  const { phase, movedAt: since, log, savepoint } = state;
  if (phase === 'publishing' || phase === 'sweeping') {
    const operators = new Set(log.inventory.pending.map(({ sink }) => sink));
    if (savepoint?.phase === 'copying' && operators.size === 0)
      return { on: 'savepoint', uri: savepoint.uri, since };
    return { on: 'publishing', operators: [...operators], since };
  }
  const round = state.rounds.find(isUnfinished);
  if (round === undefined) return undefined;
  const { checkpoint, completeAt, startedAt } = round;
  return completeAt === undefined
    ? { on: 'acks', checkpoint, operators: waitingFor(state, round), since: startedAt }
    : { on: 'manifest', checkpoint, since: completeAt };
}
