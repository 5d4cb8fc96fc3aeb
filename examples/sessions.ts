/**
 * Sessions: the visits of a user until there is none for `gap`. Built on `keyed` with timers in event time, so what is
 * open survives crashes, and every session is emitted once. Put `watermarks(…)` before it.
 */
import { keyed, timers, valueState, type FlowOperator } from 'millrace';

export interface Click {
  readonly user: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface Session {
  readonly user: string;
  readonly from: number;
  readonly to: number;
  readonly clicks: number;
}

/** Emits a session once event time is `gap` milliseconds past its last click, and at the end of the input. */
export function sessions(id: string, gap: number): FlowOperator<Click, Session> {
  return keyed(id, {
    key: ({ user }: Click) => user,
    state: { open: valueState<readonly Session[]>([]), ends: timers('event') },
    onRecord: ({ user, at }, { open, ends }) => {
      // Several may be open, since clicks come out of order: one click may join two of them.
      const joined = open.value.filter(({ from, to }) => at >= from - gap && at <= to + gap);
      for (const { to } of joined) ends.clear(to + gap);
      const session: Session = {
        user,
        from: Math.min(at, ...joined.map(({ from }) => from)),
        to: Math.max(at, ...joined.map(({ to }) => to)),
        clicks: joined.reduce((sum, { clicks }) => sum + clicks, 1),
      };
      open.set([...open.value.filter((each) => !joined.includes(each)), session]);
      ends.set(session.to + gap);
      return [];
    },
    onTimer: ({ at }, { open }) => {
      const over = open.value.filter(({ to }) => to + gap <= at);
      open.set(open.value.filter(({ to }) => to + gap > at));
      if (open.value.length === 0) open.clear();
      return over;
    },
  });
}
