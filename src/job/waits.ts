import type { CheckpointWait } from '../checkpoint/index.js';
import type { CreditLedger } from '../sources/creditLedger.js';
import type { SourceWait } from '../sources/standstill.js';
import { Leaf } from './leaf.js';
import type { Wait } from './stalls.js';

/** What a source waits for, as it concerns the job. */
export function sourceWait(
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

export function checkpointWait(wait: CheckpointWait | undefined): Wait[] {
  if (wait === undefined) return [];
  const { since, ...waiting } = wait;
  return [{ who: 'checkpoints', since, waiting }];
}

/**
 * The leaves and ids of terminals. A leaf that shares another's flow shares its attempt, too: which of them a terminal
 * belongs to is not known then, and its id has to do.
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
