import { readableDuration } from '../config/readable.js';

/**
 * What a job waits for. Operators, sources and sinks are identified by id, leaves by their position in `run(…)`, from 0.
 */
export type Waiting =
  /** The source has sent as much as its budget allows. The named terminals of these leaves are the slowest. */
  | {
      readonly on: 'credit';
      readonly source: string;
      readonly leaves: readonly number[];
      readonly operators: readonly string[];
    }
  /** The store has not answered the source. Waiting for new data does not count. */
  | { readonly on: 'input'; readonly source: string; readonly input: string }
  /** A barrier has not reached these operators, or their frozen state is not stored yet. */
  | { readonly on: 'acks'; readonly checkpoint: number; readonly operators: readonly string[] }
  /** All operators have acked; the store has not answered, or the request keeps failing with `error`. */
  | { readonly on: 'manifest'; readonly checkpoint: number; readonly error?: string }
  /** The last checkpoint is durable; these sinks have not published all their output. */
  | { readonly on: 'publishing'; readonly operators: readonly string[] }
  /** A job that starts from this savepoint, or ends with it, is copying it; no object has arrived meanwhile. */
  | { readonly on: 'savepoint'; readonly uri: string }
  /** Everything is durable and published; work of these leaves after `values()` has not completed. */
  | { readonly on: 'completion'; readonly leaves: readonly number[] }
  /** The store has not answered the claim of the job's log, or its request keeps failing with `error`. */
  | { readonly on: 'claim'; readonly error?: string }
  /** Other jobs of the process hold the memory that these need: `source 'in' (read-ahead)`. */
  | { readonly on: 'memory'; readonly holders: readonly string[] }
  /** Operators of these leaves are not ready for records. */
  | { readonly on: 'opening'; readonly leaves: readonly number[] };

/** A wait of the job has lasted too long, or such a wait has ended. Times in milliseconds. */
export type StallEvent = {
  readonly type: 'stalled' | 'resumed';
  readonly job: string;
  readonly waiting: Waiting;
  /** How long it has waited. */
  readonly forMs: number;
  /** A description for people. */
  readonly message: string;
};

/** One wait of a job. Times by the monotonic clock. */
export interface Wait {
  /** The waiter, which has one wait at a time. */
  readonly who: string;
  /** When the wait began, or last made progress. */
  readonly since: number;
  readonly waiting: Waiting;
}

export function stalled(job: string, waiting: Waiting, forMs: number): StallEvent {
  const message = `${stallOf(waiting, readableDuration(forMs))}${adviceFor(waiting)}`;
  return { type: 'stalled', job, waiting, forMs, message };
}

export function resumed(job: string, waiting: Waiting, forMs: number): StallEvent {
  const message = `${subjectOf(waiting)} continues after ${readableDuration(forMs)}.`;
  return { type: 'resumed', job, waiting, forMs, message };
}

function subjectOf(waiting: Waiting): string {
  switch (waiting.on) {
    case 'credit':
    case 'input':
      return `Source '${waiting.source}'`;
    case 'acks':
    case 'manifest':
      return `Checkpoint ${waiting.checkpoint}`;
    default:
      return 'The job';
  }
}

function stallOf(waiting: Waiting, time: string): string {
  const subject = subjectOf(waiting);
  switch (waiting.on) {
    case 'credit':
      return `${subject} is stalled: no credit from ${leavesOf(waiting.leaves, waiting.operators)} for ${time}.`;
    case 'input':
      return `${subject} is stalled: it has been waiting for ${waiting.input} for ${time}.`;
    case 'acks':
      return `${subject} has been waiting for the ack of ${ids(waiting.operators)} for ${time}.`;
    case 'manifest':
      if (waiting.error !== undefined)
        return `${subject} has been trying to write its manifest for ${time}; the last request failed: ${waiting.error}`;
      return `${subject} has been waiting for the store to answer whether its manifest is written, for ${time}.`;
    case 'publishing':
      return waiting.operators.length === 0
        ? `The last checkpoint is durable, but the store has not answered for ${time}, so the job cannot end.`
        : `The last checkpoint is durable, but ${ids(waiting.operators)} has published nothing for ${time}, so the job cannot end.`;
    case 'savepoint':
      return `The job is waiting for the copy of the savepoint ${waiting.uri}: no object of it has been copied for ${time}.`;
    case 'completion':
      return `Everything is published, but ${leavesOf(waiting.leaves)} has not completed for ${time}, so the job cannot end.`;
    case 'claim':
      if (waiting.error !== undefined)
        return `The job has been trying to claim its log below checkpoints.dir for ${time}; the last request failed: ${waiting.error}`;
      return `The job has not started for ${time}: the store has not answered the claim of its log below checkpoints.dir.`;
    case 'memory':
      return `The job has not started for ${time}: ${waiting.holders.join(', ')} ${waiting.holders.length === 1 ? 'waits' : 'wait'} for memory that others in this process hold.`;
    case 'opening':
      return `The job has not started for ${time}: an operator of ${leavesOf(waiting.leaves)} is not ready for records.`;
  }
}

function adviceFor(waiting: Waiting): string {
  switch (waiting.on) {
    case 'credit':
      return waiting.operators.length === 0
        ? ' The consumer of its records there is stuck, or an operator of it does not pass Credit signals on.'
        : ' It is slow or stuck, or an operator before it holds records or Credit signals back.';
    case 'acks':
      return ' It is slow to store its state or output, or records before the barrier are still being worked on.';
    case 'completion':
      return ' What follows values() has to complete when its input does.';
    case 'memory':
      return ' Raise memory of createJob (execution.memory-budget), or run fewer jobs in one process.';
    default:
      return '';
  }
}

/** `leaf 0 ('out')`, `leaf 0 and leaf 1 ('a', 'b')`, `'out'`. */
function leavesOf(leaves: readonly number[], operators: readonly string[] = []): string {
  if (leaves.length === 0) return ids(operators);
  const names = leaves.map((leaf) => `leaf ${leaf}`).join(' and ');
  return operators.length === 0 ? names : `${names} (${ids(operators)})`;
}

const ids = (operators: readonly string[]): string => operators.map((id) => `'${id}'`).join(', ');
