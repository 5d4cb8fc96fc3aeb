import { concat, concatMap, defer, from, map, tap, type Observable } from 'rxjs';
import type { Config } from '../config/config.js';
import type { Clock } from '../flow/index.js';
import { isKeyedState, type StoredState } from '../state/index.js';
import {
  encodeSummary,
  exportEntries,
  folderName,
  summaryName,
  type ExportedOperator,
  type ExportSummary,
  type OtherSnapshot,
} from '../state/layout/index.js';
import type { StateSpecs } from '../state/index.js';
import type { CheckpointSource } from './checkpointSource.js';
import { checkEmpty, progressOf, requestsOf, type StateFolder, type StateProgress } from './stateFolder.js';

export interface ExportStateOptions {
  /** Only the state of this operator. Default: all, and the positions of sources. */
  readonly operator?: string;
}

export interface StateExport {
  readonly source: CheckpointSource;
  /** The operators to export. */
  readonly states: readonly (readonly [operator: string, state: StoredState])[];
  readonly declared: StateSpecs;
  /** Whether these are all operators. */
  readonly whole: boolean;
  readonly to: StateFolder;
  readonly config: Pick<Config, 'state' | 'transfer'>;
  readonly clock: Clock;
}

/**
 * Exports keyed state at one checkpoint, an object for each entry (`state/layout`).
 *
 * 1. **Check** that the folder is empty. *Crash:* nothing has changed.
 * 2. **Entries** of one operator after the other, as its segments are read. *Crash:* a folder without a root, which
 *    `ExportIncomplete` reports.
 * 3. **Root.** Written last, by one request: the export exists. *Crash:* as in 2, or the export is complete although its caller
 *    was not told.
 */
export function exportState(options: StateExport): Observable<StateProgress> {
  const { source, states, declared, whole, to, config, clock } = options;
  const { extension, compression, partSize } = config.state;
  return defer(() => {
    const exported: ExportedOperator[] = [];
    let last: StateProgress | undefined;
    const entries = from(states).pipe(
      concatMap(([operator, { snapshot }]) => {
        const folder = states.length === 1 ? '' : `${folderName(operator)}/`;
        return exportEntries(
          {
            ...{ operator, snapshot, declared, extension, compression, partSize, clock },
            data: source.data,
            to: { store: to.store, prefix: to.prefix + folder },
            concurrency: requestsOf(config.transfer),
            random: Math.random,
          },
          (done) => exported.push({ ...done, folder }),
        );
      }),
      progressOf(to),
      tap((progress) => (last = progress)),
    );
    const root = defer(() => {
      const key = to.prefix + summaryName;
      const objects = last?.objects.done ?? 0;
      const bytes = last?.bytes.done ?? 0;
      return to.store.put(key, encodeSummary(summaryOf(source, exported, extension, whole))).pipe(
        map(() => ({
          objects: { done: objects, total: objects },
          bytes: { done: bytes, total: bytes },
          uri: to.uri(key),
        })),
      );
    });
    return concat(checkEmpty(to, 'an export'), entries, root);
  });
}

function summaryOf(
  { manifest }: CheckpointSource,
  operators: readonly ExportedOperator[],
  extension: string,
  whole: boolean,
): ExportSummary {
  const { job, checkpoint, at, keyGroups, finished = false } = manifest;
  const others = Object.entries(manifest.operators).flatMap(([id, { kind, snapshot, ended }]) => {
    if (kind === 'sink' || snapshot === undefined || isKeyedState(snapshot)) return [];
    const other: OtherSnapshot = { kind, snapshot, ...(ended === undefined ? {} : { ended }) };
    return [[id, other] as const];
  });
  return {
    ...{ job, checkpoint, at, extension, operators },
    ...(keyGroups === undefined ? {} : { keyGroups }),
    others: whole ? Object.fromEntries(others) : {},
    finished: whole && finished,
  };
}
