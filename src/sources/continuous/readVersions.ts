/**
 * Which versions of objects a continuous source has read: the protocol of its discovery, for one URI. Pure; the I/O is in
 * `continuous.ts`.
 *
 * An object's **version** is its key and ETag. The state is bounded by what was written recently, however many objects
 * there are:
 *
 * - The **horizon** is an instant, in dates of the server. Every version that is dated before it counts as read, and
 *   nothing else is remembered of it.
 * - The **seen** versions are those read that are dated at or after the horizon: a digest of each.
 *
 * S3 dates a multipart object by the start of its upload, so an object may appear long after its date. `longestUpload` bounds
 * that. A round with a server's time of `now` at its start therefore finds every version with a date before
 * `now − longestUpload`, unless it is deleted or replaced before its page is listed: none can appear later. That is the
 * next horizon. It is a minute lower, because the clocks of a server's machines differ and dates are cut to seconds. Only
 * the server's clock counts. Without one, the horizon stays where it is.
 *
 * A **round**:
 *
 * 1. `begin`: the first page of a listing has arrived. It fixes the next horizon.
 * 2. `take`, for each listed version in the order of the keys: whether to read it. It is not read if it is dated before the
 *    horizon, if it is seen, or if the round has covered it already (step 3). If the key was seen with another ETag, the
 *    object has changed, and `changed` decides; if it is ignored, that is reported once for a key. A version that is taken is
 *    **pending** until it is opened.
 * 3. `opened`: the reader begins with the version. It is seen from now on, and every position of the source includes it,
 *    since the position itself holds the objects that are being read. The round's **cursor** moves to its key: what is dated
 *    before the next horizon and has a key up to the cursor is read and need not be seen. So the first round, through
 *    millions of old objects, keeps a key instead of millions of digests.
 * 4. `listed`: the listing is over. As soon as nothing is pending, the round is over, too: the horizon moves to the next
 *    horizon, and what is seen before that is dropped.
 *
 * Between rounds, and until the listing of a round is over, single objects may be taken that were not listed (hints). Versions
 * are opened in the order in which they were taken, so that the cursor never passes one that is pending.
 *
 * A taken version may be gone before it is read to its end: `lost`. It is no longer pending; if something of it was read, it remains
 * seen, so only another version of the key is read. Otherwise it is as if it had never been found.
 *
 * A crash may happen at any point. The state is encoded at barriers and covers what was opened. The run that restores it
 * continues the round at the cursor with the round's own horizon. What was pending is taken again.
 */
import type { Json } from '../../flow/index.js';
import { compareKeys } from '../../store/helpers.js';
import { SeenVersions } from './seenVersions.js';

/** An object as listings show it. */
export interface Version {
  readonly key: string;
  readonly etag: string;
  /** The server's date of the object. Milliseconds since the epoch. */
  readonly modified: number;
}

/** What to do with an object whose key was read with another ETag. */
export type Changed = 'ignore' | 'read';

export interface VersionRules {
  readonly changed: Changed;
  /** The maximum time between the date of an object and its appearance. Milliseconds. */
  readonly longestUpload: number;
}

/** What a position holds. Horizons are minutes since the epoch. */
export interface ReadState {
  readonly horizon?: number;
  /** The round that is in progress. */
  readonly round?: RoundState;
  /** See `SeenVersions`. */
  readonly seen: Json;
}

export interface RoundState {
  /** The next horizon; absent if the server's time is unknown. */
  readonly horizon?: number;
  /** The cursor. */
  readonly after?: string;
}

export const minuteMillis = 60_000;

export const minuteOf = (time: number): number => Math.floor(time / minuteMillis);

export class ReadVersions {
  readonly #rules: VersionRules;
  readonly #ignored: (version: Version) => void;
  readonly #seen: SeenVersions;
  #horizon: number;
  #round: { readonly horizon: number; after: string | undefined; listed: boolean } | undefined;
  /** Pending versions: the ETags of a key, in the order in which they were taken. */
  readonly #pending = new Map<string, { readonly etag: string; readonly hinted: boolean }[]>();

  /** @param ignored called for an object that has changed and is not read again, once for each key that is seen */
  constructor(rules: VersionRules, state?: ReadState, ignored: (version: Version) => void = () => undefined) {
    this.#rules = rules;
    this.#ignored = ignored;
    this.#seen = new SeenVersions(state?.seen);
    this.#horizon = state?.horizon ?? -Infinity;
    if (state?.round !== undefined) {
      const { horizon = -Infinity, after } = state.round;
      this.#round = { horizon, after, listed: false };
    }
  }

  /** The cursor of the round that is in progress. */
  get after(): string | undefined {
    return this.#round?.after;
  }

  /** Whether a round is in progress. */
  get inRound(): boolean {
    return this.#round !== undefined;
  }

  /** The number of versions that are remembered one by one. */
  get seen(): number {
    return this.#seen.size;
  }

  /** Whether the listing of a round is over and the round is not: it waits for what is pending, so nothing may be taken. */
  get ending(): boolean {
    return this.#round?.listed === true;
  }

  /**
   * A round begins, unless one is in progress.
   *
   * @param now the server's time when it answered the first request, if known
   */
  begin(now: number | undefined): void {
    if (this.#round !== undefined) return;
    const next = now === undefined ? -Infinity : minuteOf(now - this.#rules.longestUpload) - 1;
    // A server's clock may be set back.
    this.#round = { horizon: Math.max(next, this.#horizon), after: undefined, listed: false };
  }

  /** Whether to read this version. If so, it is pending from now on. */
  take(version: Version, found: 'listed' | 'hinted'): boolean {
    const hinted = found === 'hinted';
    const wanted = this.#wanted(version);
    if (wanted) {
      const { key, etag } = version;
      const pending = this.#pending.get(key);
      if (pending === undefined) this.#pending.set(key, [{ etag, hinted }]);
      else pending.push({ etag, hinted });
    } else if (!hinted && this.#round !== undefined && this.#pending.size === 0)
      this.#round.after = version.key;
    return wanted;
  }

  /** The reader begins with a pending version. */
  opened(version: Version): void {
    const hinted = this.#noLongerPending(version);
    if (hinted === undefined) return;
    const round = this.#round;
    if (!hinted && round !== undefined) round.after = version.key;
    if (!this.#covered(version)) this.#seen.add(version, minuteOf(version.modified));
    this.#endRound();
  }

  /** A version that was taken no longer exists. `unread`: nothing of it was read, so that it need not be seen. */
  lost(version: Pick<Version, 'key' | 'etag'>, unread: boolean): void {
    if (this.#noLongerPending(version) !== undefined) this.#endRound();
    else if (unread) this.#seen.remove(version);
  }

  /** The listing of the round is over. */
  listed(): void {
    if (this.#round !== undefined) this.#round.listed = true;
    this.#endRound();
  }

  /** The state after the last `opened`. */
  state(): ReadState {
    const { horizon, after } = this.#round ?? {};
    return {
      ...(Number.isFinite(this.#horizon) ? { horizon: this.#horizon } : {}),
      ...(this.#round === undefined
        ? {}
        : {
            round: {
              ...(Number.isFinite(horizon) ? { horizon: horizon as number } : {}),
              ...(after === undefined ? {} : { after }),
            },
          }),
      seen: this.#seen.encoded(),
    };
  }

  #wanted(version: Version): boolean {
    if (this.#covered(version)) return false;
    const seen = this.#seen.look(version, minuteOf(version.modified));
    if (seen === 'same') return false;
    if (seen === 'other' && this.#rules.changed === 'ignore') {
      if (this.#seen.firstOther(version)) this.#ignored(version);
      return false;
    }
    const pending = this.#pending.get(version.key);
    if (pending === undefined) return true;
    return this.#rules.changed === 'read' && !pending.some(({ etag }) => etag === version.etag);
  }

  /** Whether the horizon or the cursor covers it. */
  #covered({ key, modified }: Version): boolean {
    const minute = minuteOf(modified);
    if (minute < this.#horizon) return true;
    const { horizon, after } = this.#round ?? {};
    return horizon !== undefined && minute < horizon && after !== undefined && compareKeys(key, after) <= 0;
  }

  /** Returns whether it was hinted; `undefined` if it was not pending. */
  #noLongerPending({ key, etag }: Pick<Version, 'key' | 'etag'>): boolean | undefined {
    const pending = this.#pending.get(key);
    const index = pending?.findIndex((each) => each.etag === etag) ?? -1;
    const entry = pending?.[index];
    if (pending === undefined || entry === undefined) return undefined;
    pending.splice(index, 1);
    if (pending.length === 0) this.#pending.delete(key);
    return entry.hinted;
  }

  #endRound(): void {
    if (this.#round?.listed !== true || this.#pending.size > 0) return;
    this.#horizon = this.#round.horizon;
    this.#round = undefined;
    this.#seen.drop(this.#horizon);
  }
}
