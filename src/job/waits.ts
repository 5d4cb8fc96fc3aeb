import type { CheckpointWait, Coordinator } from '../checkpoint/index.js';
import { MillraceError } from '../errors.js';
import type { CreditLedger } from '../sources/creditLedger.js';
import type { SourceWait } from '../sources/standstill.js';
import { Leaf } from './leaf.js';
import type { Wait } from './stalls.js';
import type { Wiring } from './wiring.js';

export type AttemptState = 'opening' | 'running' | 'ending' | 'completing' | 'over';

/** A job that starts from a savepoint is copying it. `since`: the last object, by the monotonic clock. */
export interface Adopting {
  /** Without user info; several are separated by commas. */
  readonly uri: string;
  readonly since: number;
}

/** The current waits of an attempt. */
export function waitsOf(attempt: {
  readonly state: AttemptState;
  /** When the state was entered. */
  readonly since: number;
  /** Undefined until the log is claimed. */
  readonly coordinator: Coordinator | undefined;
  readonly logFailure: unknown;
  readonly adopting: Adopting | undefined;
  /** The holders that wait for memory, and since when. */
  readonly memory: { readonly holders: readonly string[]; readonly since: number };
  readonly wiring: Wiring;
  readonly ledger: CreditLedger;
}): Wait[] {
  const { state, since, coordinator, logFailure, adopting, memory, wiring, ledger } = attempt;
  const failure = logFailure instanceof MillraceError ? { error: logFailure.message } : {};
  const indexesOf = (leaves: readonly Leaf[]): number[] => leaves.map(({ index }) => index);
  switch (state) {
    case 'opening': {
      if (coordinator === undefined && adopting !== undefined)
        return [{ who: 'job', since: adopting.since, waiting: { on: 'savepoint', uri: adopting.uri } }];
      if (coordinator === undefined) return [{ who: 'job', since, waiting: { on: 'claim', ...failure } }];
      const { holders } = memory;
      if (holders.length > 0)
        return [{ who: 'job', since: memory.since, waiting: { on: 'memory', holders } }];
      const leaves = indexesOf(wiring.leaves.filter(({ open }) => !open));
      return [{ who: 'job', since, waiting: { on: 'opening', leaves } }];
    }
    case 'running':
    case 'ending': {
      const sources = [...wiring.sources].flatMap(([id, { pump }]) =>
        sourceWait(id, pump?.waiting, ledger, wiring.leaves),
      );
      return [...sources, ...checkpointWait(coordinator?.waiting, failure)];
    }
    case 'completing': {
      const leaves = indexesOf(wiring.leaves.filter(({ closed }) => !closed));
      return leaves.length === 0 ? [] : [{ who: 'job', since, waiting: { on: 'completion', leaves } }];
    }
    case 'over':
      return [];
  }
}

/** The wait of a source. */
function sourceWait(
  source: string,
  wait: SourceWait | undefined,
  ledger: CreditLedger,
  leaves: readonly Leaf[],
): Wait[] {
  if (wait === undefined) return [];
  const { input, since } = wait;
  const who = `source ${source}`;
  if (input !== undefined) return [{ who, since, waiting: { on: 'input', source, input } }];
  return [{ who, since, waiting: { on: 'credit', source, ...blamed(ledger.behind(source), leaves) } }];
}

function checkpointWait(wait: CheckpointWait | undefined, failure: { readonly error?: string }): Wait[] {
  if (wait === undefined) return [];
  const { since, ...waiting } = wait;
  return [
    { who: 'checkpoints', since, waiting: waiting.on === 'manifest' ? { ...waiting, ...failure } : waiting },
  ];
}

/**
 * The leaves and ids of terminals. A leaf that shares another's flow also shares its attempt, so the leaf of a
 * terminal is not known then; only its id is reported.
 */
function blamed(
  terminals: readonly (string | object)[],
  leaves: readonly Leaf[],
): { readonly leaves: readonly number[]; readonly operators: readonly string[] } {
  const shared = leaves.some(({ sources }) => sources.size === 0);
  const indexes = new Set<number>();
  for (const terminal of terminals) {
    if (terminal instanceof Leaf) indexes.add(terminal.index);
    else if (!shared) for (const leaf of leaves) if (leaf.terminals.has(terminal)) indexes.add(leaf.index);
  }
  return {
    leaves: [...indexes].sort((a, b) => a - b),
    operators: terminals.filter((terminal) => typeof terminal === 'string'),
  };
}
