import type { Source, SourceReader } from 'millrace/operators';

/** A row of the Parquet bench. */
export interface Visit {
  readonly id: number;
  readonly user: string;
  readonly at: Date;
  readonly price: number;
}

const start = Date.UTC(2026, 0, 1);
const users = Array.from({ length: 5000 }, (_, i) => `user ${i}`);

export const visit = (id: number): Visit => ({
  id,
  user: users[id % users.length] ?? '',
  at: new Date(start + id),
  price: id / 8,
});

/** The same rows in SQL of DuckDB. */
export const visitsInSql = (rows: number): string =>
  `SELECT i::BIGINT AS id, 'user ' || (i % 5000) AS user,
   make_timestamptz((${start} + i) * 1000) AS at, (i / 8)::DOUBLE AS price FROM range(${rows}) t(i)`;

const perPoll = 500;

/** `rows` visits. The position is the next id. */
export function visits(rows: number): Source<Visit> {
  return {
    description: `${rows} synthetic visits`,
    open({ position }): SourceReader<Visit> {
      const from = typeof position === 'number' ? position : 0;
      let next = from;
      return {
        poll(out) {
          for (const end = Math.min(rows, next + perPoll); next < end; next++) out.record(visit(next));
          return next < rows ? 'more' : 'end';
        },
        position: () => next,
        get bytes() {
          return (next - from) * 40;
        },
        close: () => undefined,
      };
    },
  };
}
