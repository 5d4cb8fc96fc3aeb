import { declare, type Draft, type Inventory } from './inventory.js';
import type { LogState } from './logState.js';
import { references, type Manifest, type RetainedEntry } from './manifest.js';

/** The next entry to issue, and the inventory after it. */
export function nextManifest(
  state: LogState,
  kind: 'claim' | 'checkpoint',
  draft: Draft,
  now: number,
): { readonly manifest: Manifest; readonly inventory: Inventory } {
  const { self, rules, last } = state;
  const parent = last?.manifest;
  const n = numberOf(state, kind, draft);
  const pending = state.inventory.pending
    .filter(({ since }) =>
      rules.carryPending || kind === 'claim' ? since <= draft.checkpoint : since === draft.checkpoint,
    )
    .map(({ sink, committable }) => ({ sink, committable }));
  const retained = retainedBy(state, draft);
  const entropy = parent === undefined ? self.entropy : parent.entropy;
  const declared = declare(state.inventory, n, draft, pending, retained);
  const from = parent === undefined ? draft.from : parent.from;
  const { savepoint } = draft;
  const { keyGroups } = self;
  const inventory =
    savepoint === undefined || !rules.pin
      ? declared
      : { ...declared, pinned: references({ operators: draft.operators, pending: [] }) };
  const manifest: Manifest = {
    version: 1,
    jobId: parent?.jobId ?? self.jobId,
    job: self.job,
    ...(self.dir === undefined ? {} : { dir: self.dir }),
    n,
    prev: parent === undefined ? null : { n: parent.n, putId: parent.putId },
    parent: parent?.n ?? null,
    epoch: (parent?.epoch ?? 0) + (kind === 'claim' ? 1 : 0),
    putId: `${self.nonce}-${state.serial + 1}`,
    kind: savepoint === undefined ? kind : 'savepoint',
    checkpoint: draft.checkpoint,
    at: now,
    ...(entropy === undefined ? {} : { entropy }),
    operators: draft.operators,
    pending,
    garbage: inventory.declared,
    retained,
    ...(draft.final ? { finished: true } : {}),
    ...(savepoint === undefined ? {} : { savepoint }),
    ...(keyGroups === undefined ? {} : { keyGroups }),
    ...(from === undefined ? {} : { from }),
  };
  return { manifest, inventory };
}

function numberOf(state: LogState, kind: 'claim' | 'checkpoint', draft: Draft): number {
  const last = state.last?.manifest;
  if (last === undefined) return 1;
  return state.rules.numberAtIssue || kind === 'claim'
    ? last.n + 1
    : last.n + draft.checkpoint - last.checkpoint;
}

function retainedBy(state: LogState, draft: Draft): readonly RetainedEntry[] {
  const last = state.last?.manifest;
  if (last === undefined) return [];
  const kept = [...last.retained];
  if (draft.checkpoint > last.checkpoint && last.checkpoint > 0) {
    const { n, putId, checkpoint } = last;
    kept.push({ n, putId, checkpoint, objects: [...references(last)] });
  }
  const count = state.self.retained - 1;
  return count > 0 ? kept.slice(-count) : [];
}
