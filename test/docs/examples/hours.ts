import { keyed, mapState, records, timers, watermarks, type Flow } from 'millrace';
import { filter } from 'rxjs';

interface View {
  readonly user: string;
  readonly page: string;
  readonly at: number;
}

const hour = 3_600_000;

/** For each user and hour, the pages viewed, with their numbers of views. */
export const hours = (views: Flow<View>) =>
  views.pipe(
    watermarks('time', { timestamp: ({ at }) => at, outOfOrder: '1m', idle: '5m' }),
    keyed('hours', {
      key: ({ user }) => user,
      state: { pages: mapState<string, number>(), ends: timers('event') },
      onRecord: ({ page, at }, { pages, ends }) => {
        const from = at - (at % hour);
        pages.in(from).update(page, (n = 0) => n + 1);
        ends.set(from + hour, from);
        return [];
      },
      onTimer: ({ key, namespace = 0 }, { pages }) => {
        const viewed = pages.in(namespace);
        const result = { user: key, from: namespace, pages: Object.fromEntries(viewed) };
        viewed.clear();
        return [result];
      },
    }),
    records(filter(({ pages }) => Object.keys(pages).length > 1)),
  );
