import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../flow/index.js';
import {
  allKeyGroups,
  intersection,
  isKeyedState,
  partOfState,
  rangeText,
  type KeyGroupRange,
} from '../../state/index.js';
import { mergedWatermarks } from '../../operators/watermarks.js';
import { keyGroupsMismatch, savepointsDiffer } from '../errors.js';
import type { OperatorState } from '../manifest.js';
import type { SavepointRoot } from './root.js';

/** A savepoint that was read. */
export interface ReadSavepoint {
  /** For messages. */
  readonly uri: string;
  readonly root: SavepointRoot;
}

/**
 * What a job with `keyGroups` begins with, out of the savepoints of one or more jobs with different key groups:
 *
 * - **Keyed state**: the part in the job's key groups. Each group must be in exactly one of the savepoints.
 * - **Event time**: the earliest of the inputs that are not idle.
 * - **Everything else**, such as the positions of sources, cannot be divided or merged. What only one savepoint has is
 *   taken as it is; what several have must be the same in all of them.
 *
 * Errors: `KeyGroupsMismatch`, `SavepointsDiffer`, `StateSchemaMismatch`.
 *
 * @param allowDropped ids whose state may be left out if it differs
 */
export function merged(
  savepoints: readonly ReadSavepoint[],
  keyGroups: KeyGroupRange,
  allowDropped: readonly string[] = [],
): Readonly<Record<string, OperatorState>> {
  checkGroups(savepoints, keyGroups);
  checkEnds(savepoints);
  const ids = new Set(savepoints.flatMap(({ root }) => Object.keys(root.operators)));
  const operators = [...ids].flatMap((id) => {
    const parts = savepoints.flatMap((savepoint) => partOf(savepoint, id));
    const state = parts.some(({ operator }) => isKeyedState(operator.snapshot))
      ? keyedState(id, parts, savepoints, keyGroups)
      : sameState(id, parts, allowDropped);
    return state === undefined ? [] : [[id, state] as const];
  });
  return Object.fromEntries(operators);
}

interface Part extends ReadSavepoint {
  readonly operator: OperatorState;
}

function partOf(savepoint: ReadSavepoint, id: string): readonly Part[] {
  const { operators } = savepoint.root;
  const operator = Object.hasOwn(operators, id) ? operators[id] : undefined;
  return operator === undefined ? [] : [{ ...savepoint, operator }];
}

const groupsOf = ({ root }: ReadSavepoint): KeyGroupRange => root.keyGroups ?? allKeyGroups;

function checkGroups(savepoints: readonly ReadSavepoint[], keyGroups: KeyGroupRange): void {
  const sorted = savepoints.toSorted((a, b) => groupsOf(a).first - groupsOf(b).first);
  sorted.forEach((savepoint, i) => {
    const next = sorted[i + 1];
    const twice = next && intersection(groupsOf(savepoint), groupsOf(next));
    if (twice === undefined) return;
    throw keyGroupsMismatch(
      `the savepoints ${savepoint.uri} and ${next?.uri ?? ''} both have ${rangeText(twice)}. List savepoints of jobs that ran side by side, each with its own key groups.`,
    );
  });
  const lacking: string[] = [];
  let { first } = keyGroups;
  for (const savepoint of sorted) {
    const there = intersection(groupsOf(savepoint), { first, last: keyGroups.last });
    if (there === undefined) continue;
    if (there.first > first) lacking.push(rangeText({ first, last: there.first - 1 }));
    first = there.last + 1;
  }
  if (first <= keyGroups.last) lacking.push(rangeText({ first, last: keyGroups.last }));
  if (lacking.length === 0) return;
  throw keyGroupsMismatch(
    `it needs ${rangeText(keyGroups)}, and the savepoints of \`from\` lack ${lacking.join(' and ')}. ${savepoints
      .map((savepoint) => `${savepoint.uri} has ${rangeText(groupsOf(savepoint))}.`)
      .join(
        ' ',
      )} List the savepoints of all jobs that had its key groups, or set \`keyGroups\` to what they have.`,
  );
}

/** A finished job has flushed its operators: the next one would flush them again, or never. */
function checkEnds(savepoints: readonly ReadSavepoint[]): void {
  const over = savepoints.find(({ root }) => root.finished === true);
  const open = savepoints.find(({ root }) => root.finished !== true);
  if (over === undefined || open === undefined) return;
  throw savepointsDiffer(
    `the savepoint ${over.uri} is of a job that has finished, and ${open.uri} of one that has not. Run that job to the end of its input, and make its savepoint again.`,
  );
}

function keyedState(
  id: string,
  parts: readonly Part[],
  savepoints: readonly ReadSavepoint[],
  keyGroups: KeyGroupRange,
): OperatorState | undefined {
  const needed = (savepoint: ReadSavepoint): boolean =>
    intersection(groupsOf(savepoint), keyGroups) !== undefined;
  const own = parts.filter(needed);
  const [having] = own;
  if (having === undefined) return undefined;
  const lacking = savepoints.find((each) => needed(each) && !own.some(({ uri }) => uri === each.uri));
  if (lacking !== undefined)
    throw savepointsDiffer(
      `operator '${id}' has state in the savepoint ${having.uri}, and is not in ${lacking.uri}. Run that job with the operator, and make its savepoint again.`,
    );
  const snapshots: readonly Json[] = own.map(({ operator: { snapshot = null } }) => snapshot);
  return { kind: having.operator.kind, open: [], ...partOfState(id, snapshots, keyGroups) };
}

function sameState(
  id: string,
  parts: readonly Part[],
  allowDropped: readonly string[],
): OperatorState | undefined {
  const holding = parts.filter(({ operator }) => operator.snapshot !== undefined);
  const [one = parts[0], ...others] = holding;
  const other = others.find(({ operator }) => !isDeepStrictEqual(operator, one?.operator));
  if (one === undefined || other === undefined) return one?.operator;
  if (allowDropped.includes(id)) return undefined;
  const time = mergedWatermarks(holding.map(({ operator: { snapshot } }) => snapshot));
  if (time !== undefined) return { ...one.operator, snapshot: time };
  const { kind } = one.operator;
  throw savepointsDiffer(
    kind === 'source'
      ? `source '${id}' is at one position in the savepoint ${one.uri}, and at another one in ${other.uri}. Run both jobs to the end of the same input, and make their savepoints again; or let the source of each job have its own id, and the job that begins with their savepoints all these sources.`
      : `${kind} '${id}' has one state in the savepoint ${one.uri}, and another one in ${other.uri}, and only state by key can be merged. Let it have its own id in each job; or list it in \`allowDropped\` and give it a new id, to begin without its state.`,
  );
}
