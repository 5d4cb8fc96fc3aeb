/** The input of the processes, whose content is known without running a job. */
export interface Event {
  readonly id: number;
  readonly user: string;
  readonly partition: number;
}

const users = 50;

/** Milliseconds of event time between events, the first of which is at 0. */
const step = 10;
export const timeOf = (id: number): number => id * step;
/** Events of this many milliseconds are counted together, by user. */
export const windowLength = 2000;
/** The start of an event's window. */
export const windowOf = (id: number): number => timeOf(id) - (timeOf(id) % windowLength);
/** Milliseconds of event time after which a user's recent events are forgotten. */
export const recentFor = 1000;

/** A line of the output. */
export type Counted =
  | (Event & { readonly count: number; readonly recent: number })
  | { readonly window: number; readonly user: string; readonly events: number }
  | { readonly batch: number; readonly user: string };

/** What the job counts, computed without one. */
export interface Expected {
  /** Of each event: those of its user so far. */
  readonly counts: readonly number[];
  /** Of each event: those of its user so far without a pause of {@link recentFor}. */
  readonly recents: readonly number[];
  /** The events of each user and window, by {@link windowName}. */
  readonly windows: ReadonlyMap<string, number>;
  /** The events of each user. */
  readonly users: ReadonlyMap<string, number>;
}

export const windowName = (window: number, user: string): string => `window ${window} of ${user}`;

export function expectedOf(records: number): Expected {
  const windows = new Map<string, number>();
  const totals = new Map<string, number>();
  const last = new Map<string, { readonly recent: number; readonly at: number }>();
  const counts: number[] = [];
  const recents: number[] = [];
  for (let id = 0; id < records; id++) {
    const { user } = eventOf(id);
    const count = (totals.get(user) ?? 0) + 1;
    totals.set(user, count);
    counts.push(count);
    const name = windowName(windowOf(id), user);
    windows.set(name, (windows.get(name) ?? 0) + 1);
    // Event time is that of the event before.
    const now = timeOf(Math.max(0, id - 1));
    const before = last.get(user);
    const recent = before === undefined || now - before.at >= recentFor ? 1 : before.recent + 1;
    last.set(user, { recent, at: now });
    recents.push(recent);
  }
  return { counts, recents, windows, users: totals };
}

/** Most events are of partition 0, so that there parts fill while other files stay small. */
export function eventOf(id: number): Event {
  const hash = Math.imul(id + 1, 2654435761) >>> 0;
  return { id, user: `user-${hash % users}`, partition: id % 5 === 0 ? 1 + (hash % 3) : 0 };
}

/** So long that a job reads only some hundred at a time. */
const filler = 'x'.repeat(200);

/** The lines of events `from` to `to`. */
export function inputObject(from: number, to: number): Buffer {
  const lines: string[] = [];
  for (let id = from; id < to; id++) lines.push(`${JSON.stringify({ ...eventOf(id), filler })}\n`);
  return Buffer.from(lines.join(''));
}
