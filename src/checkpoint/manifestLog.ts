import { allKeyGroups, isSameRange } from '../state/index.js';
import { alreadyStarted, keyGroupsChanged } from './errors.js';
import * as inventories from './inventory.js';
import type { Draft } from './inventory.js';
import type { Entry, Issued, Listed, LogEffect, LogEvent, LogState, Step } from './logState.js';
import { references, type Manifest } from './manifest.js';
import { nextManifest } from './nextManifest.js';

/**
 * The commit protocol of one attempt over its job's log, without I/O: `step(state, event) → {state, effects}`.
 *
 * The log is a sequence of numbered slots. A slot is filled by a PUT that fails if the slot is taken; that PUT is the
 * commit point. The highest entry is authoritative: it is never deleted, and a restart reads only it.
 *
 *                   ┌→ adopting ─┐
 *     idle → listing → reading → writing ⇄ comparing → verifying → owned → writing …
 *                ↑_________________ claim lost _______________|        ↘ fenced, failed
 *
 * 1. **Numbers.** A log number is assigned when the PUT is issued: last verified entry + 1, independent of the
 *    checkpoint's id. At most one PUT is in flight. A draft that becomes ready in the meantime waits; a newer draft
 *    replaces (subsumes) it.
 * 2. **Claim.** LIST the log, GET the newest entry, and write the next one: same content, epoch + 1, open files
 *    sealed into `pending`. A slower attempt's PUT into that slot gets 412. *Crash before the PUT:* nothing has
 *    changed. *Crash after it:* the log has one more claim; the next start claims on top of it. An empty log may begin
 *    with savepoints (`savepoints/adopt.ts`): their objects are copied before the first claim refers to them.
 * 3. **Outcomes.** Created: verify (4). Taken: GET the slot and compare put-ids; the entry is mine, or the slot is
 *    lost. Anything else is in doubt: repeat the identical PUT until its outcome is known. A refusal is definite only
 *    if no doubt preceded it. A store that completes the PUT without an answer ends the attempt as a crash would: it would do the
 *    same to every repetition. An issued manifest is never recalled: it may have landed, or land later. *Crash in
 *    doubt:* the next start's claim decides, because only one of the two PUTs gets the slot.
 * 4. **Verification.** A slot may be free because its entry was deleted long ago: a PUT that lands there does not
 *    count. So after an entry is found to be mine, LIST from n − 2: entry n − 1 must be the predecessor I know, and
 *    nothing may exist above n. Otherwise a claim starts over, and an owner is fenced permanently. No effect of the
 *    entry precedes its verification.
 * 5. **Pending.** Each entry carries every committable that no sink has confirmed, those of failed checkpoints included.
 * 6. **Durable.** Only now may sinks publish what the entry carries as pending. *Crash before:* the next attempt
 * finds it pending. *Crash after:* it publishes again, which is idempotent. 7–8. Seals, uploads and journals are up
 * to the sinks; here they are committables and data objects.
 * 9. **Garbage** is declared in an entry, and deleted once that entry is durable and verified: data objects that no
 *    kept entry refers to, and log entries up to n − 2. *Crash in between:* the claim repeats the declaration, and
 *    deletes again. An object that no entry ever named is not garbage but a leftover (`leftovers.ts`). An entry holds
 *    a limited number of names: those that the store refuses to delete are dropped in favour of new ones, and are
 *    leftovers from then on.
 *
 * `now` is the timestamp of an entry issued by this step, for information only. Throws `GarbageReferenced`.
 */
export function step(state: LogState, event: LogEvent, now: number): Step {
  if (state.phase === 'fenced' || state.phase === 'failed') return same(state);
  const { inventory } = state;
  switch (event.type) {
    case 'start':
      return startOver(state);
    case 'listed':
      if (state.phase === 'listing') return newest(state, event.entries, now);
      return state.phase === 'verifying' ? verify(state, event.entries, now) : same(state);
    case 'got':
      return got(state, event.entry, now);
    case 'adopted':
      return state.phase === 'adopting' ? adopted(state, event.draft, now) : same(state);
    case 'unreadable':
      return state.phase === 'reading' ? failed(state, event.error) : lost(state);
    case 'created':
      return mine(state, event.etag, now);
    case 'taken':
      return {
        state: { ...state, phase: 'comparing' },
        effects: [{ type: 'get', n: issuedOf(state).manifest.n }],
      };
    case 'in-doubt':
      return repeat(state, now);
    case 'refused':
      return state.phase === 'writing' && issuedOf(state).doubts > 0
        ? repeat(state, now)
        : failed(state, event.error);
    case 'unanswered':
      return failed(state, event.error);
    case 'write':
      return write(state, event.draft, now);
    case 'closed':
      return same({
        ...state,
        inventory: inventories.carry(inventory, event.sink, event.committables, event.checkpoint),
      });
    case 'named':
      return same({ ...state, inventory: inventories.track(inventory, event.objects, event.checkpoint) });
    case 'confirm':
      return same({ ...state, inventory: inventories.confirm(inventory, event.sink, event.uid) });
    case 'amend':
      return same({ ...state, inventory: inventories.amend(inventory, event) });
    case 'deleted':
      return same({ ...state, inventory: inventories.deleted(inventory, event.keys, event.failed) });
    case 'unpin':
      return same({ ...state, inventory: { ...inventory, pinned: new Set() } });
  }
}

// 2. Claim: list, read, write the next one.

function startOver(state: LogState): Step {
  return {
    state: {
      ...state,
      phase: 'listing',
      last: undefined,
      issued: undefined,
      inventory: inventories.emptyInventory,
    },
    effects: [{ type: 'list', from: 1 }],
  };
}

function newest(state: LogState, entries: readonly Listed[], now: number): Step {
  const highest = entries.at(-1);
  const inventory = { ...inventories.emptyInventory, entries: entries.map(({ n }) => n) };
  if (highest === undefined) {
    if (state.self.from !== undefined)
      return { state: { ...state, phase: 'adopting', inventory }, effects: [{ type: 'adopt' }] };
    return issue({ ...state, inventory }, 'claim', { checkpoint: 0, operators: {}, final: false }, now);
  }
  return { state: { ...state, phase: 'reading', inventory }, effects: [{ type: 'get', n: highest.n }] };
}

function adopted(state: LogState, draft: Draft, now: number): Step {
  return issue({ ...state, inventory: inventories.adoptedInventory(draft) }, 'claim', draft, now);
}

function got(state: LogState, entry: Entry | undefined, now: number): Step {
  switch (state.phase) {
    case 'reading': {
      if (entry === undefined) return startOver(state); // deleted since the listing: another attempt has continued
      const { from, job, keyGroups = allKeyGroups } = state.self;
      const { manifest } = entry;
      if (from !== undefined && manifest.from?.uris.join() !== from.join())
        return failed(state, alreadyStarted(job, from));
      if (!isSameRange(manifest.keyGroups ?? allKeyGroups, keyGroups))
        return failed(state, keyGroupsChanged(job, manifest.keyGroups ?? allKeyGroups, keyGroups));
      const inventory = inventories.inventoryOf(manifest, state.inventory.entries);
      return issue({ ...state, last: entry, inventory }, 'claim', inventories.sealed(manifest), now);
    }
    case 'comparing':
      return entry?.manifest.putId === issuedOf(state).manifest.putId
        ? mine(state, entry.etag, now)
        : lost(state);
    case 'identifying':
      return entry?.manifest.putId === state.last?.manifest.putId ? accept(state, now) : lost(state);
    default:
      return same(state);
  }
}

// 1. Numbers: given when the PUT is issued.

function write(state: LogState, draft: Draft, now: number): Step {
  if (state.phase === 'owned') return issue(state, 'checkpoint', draft, now);
  const subsumed = state.next;
  // What subsumes the checkpoint of a savepoint takes its place.
  const savepoint = draft.savepoint ?? subsumed?.savepoint;
  const next = savepoint === undefined ? draft : { ...draft, savepoint };
  const effects: LogEffect[] =
    subsumed !== undefined && subsumed.checkpoint < draft.checkpoint
      ? [{ type: 'subsumed', checkpoint: subsumed.checkpoint, by: draft.checkpoint }]
      : [];
  return { state: { ...state, next }, effects };
}

function issue(state: LogState, kind: 'claim' | 'checkpoint', draft: Draft, now: number): Step {
  const { manifest, inventory } = nextManifest(state, kind, draft, now);
  return {
    state: {
      ...state,
      phase: 'writing',
      serial: state.serial + 1,
      inventory,
      issued: { manifest, etag: undefined, doubts: 0 },
    },
    effects: [{ type: 'put', manifest, doubts: 0 }],
  };
}

// 3. Outcomes: mine, lost, or in doubt.

function repeat(state: LogState, now: number): Step {
  const issued = issuedOf(state);
  if (!state.rules.repeatInDoubt) return cleanUp(state, issued.manifest, now);
  const doubts = issued.doubts + 1;
  return {
    state: { ...state, issued: { ...issued, doubts } },
    effects: [{ type: 'put', manifest: issued.manifest, doubts }],
  };
}

/** Violates rule 3, for the model checker. */
function cleanUp(state: LogState, manifest: Manifest, now: number): Step {
  if (manifest.kind === 'claim') return startOver(state);
  const stand = state.last === undefined ? new Set<string>() : references(state.last.manifest);
  const keys = [...references(manifest)].filter((key) => !stand.has(key));
  const { next } = state;
  const owned: LogState = { ...state, phase: 'owned', issued: undefined, next: undefined };
  const after = next === undefined ? same(owned) : issue(owned, 'checkpoint', next, now);
  return { state: after.state, effects: [{ type: 'delete', keys }, ...after.effects] };
}

function lost(state: LogState): Step {
  const { manifest } = issuedOf(state);
  if (manifest.kind === 'claim') return startOver(state);
  return { state: { ...state, phase: 'fenced' }, effects: [{ type: 'fenced', n: manifest.n }] };
}

function mine(state: LogState, etag: string, now: number): Step {
  const issued = { ...issuedOf(state), etag };
  const known: LogState = { ...state, phase: 'verifying', issued };
  const { rules } = state;
  const verified = issued.manifest.kind === 'claim' ? rules.verifyClaim : rules.verifyEntry;
  if (!verified) return accept(known, now);
  return { state: known, effects: [{ type: 'list', from: Math.max(1, issued.manifest.n - 2) }] };
}

// 4. Verification: my entry is the newest.

function verify(state: LogState, entries: readonly Listed[], now: number): Step {
  const { manifest } = issuedOf(state);
  const before = entries.filter(({ n }) => n < manifest.n).at(-1);
  if (entries.at(-1)?.n !== manifest.n) return lost(state);
  // There is no slot below the first entry.
  if (manifest.prev === null) return accept(state, now);
  if (before?.n !== manifest.prev.n) return lost(state);
  if (before.etag === state.last?.etag) return accept(state, now);
  // On some servers, ETags in listings differ from those in answers to PUT: only the put-id is proof.
  return { state: { ...state, phase: 'identifying' }, effects: [{ type: 'get', n: manifest.prev.n }] };
}

// 6 and 9. Durable: act, and delete what this entry declared.

function accept(state: LogState, now: number): Step {
  const { manifest, etag } = issuedOf(state);
  const parent = state.last?.manifest;
  const { deleting, entries } = state.inventory;
  const declared = new Set(state.inventory.declared);
  const busy = new Set(deleting);
  const keys = manifest.garbage.filter((key) => declared.has(key) && !busy.has(key));
  const inventory = {
    ...state.inventory,
    deleting: [...deleting, ...keys],
    entries: [...entries, manifest.n],
  };
  const owned: LogState = {
    ...state,
    phase: 'owned',
    inventory,
    last: { manifest, etag: etag ?? '' },
    issued: undefined,
    next: undefined,
  };
  const effects: LogEffect[] = [
    manifest.kind === 'claim' ? { type: 'claimed', manifest, parent } : { type: 'durable', manifest },
  ];
  if (keys.length > 0) effects.push({ type: 'delete', keys });
  if (state.next === undefined) return { state: owned, effects };
  const then = issue(owned, 'checkpoint', state.next, now);
  return { state: then.state, effects: [...effects, ...then.effects] };
}

function failed(state: LogState, error: unknown): Step {
  return { state: { ...state, phase: 'failed' }, effects: [{ type: 'failed', error }] };
}

function issuedOf(state: LogState): Issued {
  if (state.issued === undefined) throw new Error(`No manifest is issued in phase ${state.phase}.`);
  return state.issued;
}

function same(state: LogState): Step {
  return { state, effects: [] };
}
