import { hasPostgres, startPostgres } from '../processes/postgres.js';
import { liveWithSinks } from '../processes/sinkLives.js';
import { kinds, openTarget } from '../processes/target.js';

const records = 3000;
/** So few that the input, which yields about 600 events, lasts for four of them. */
const moments = [10, 40, 100];

if (!hasPostgres)
  console.warn(
    'Without PostgreSQL, a job with all sinks is killed here without postgresSink: install postgresql.',
  );

test.each(kinds.filter((kind) => kind !== 'real behind a gateway'))(
  'a real process on %s with all sinks that is killed four times: readers see each row once in each sink, and only whole files',
  async (kind) => {
    const target = await openTarget(kind);
    const database = hasPostgres ? await startPostgres() : undefined;
    const seed = Math.floor(Math.random() * 2 ** 31);
    try {
      const lives = await liveWithSinks({
        target,
        database,
        seed,
        kills: 4,
        records,
        moments,
        faults: false,
      });
      expect({ seed, ...lives }).toMatchObject({
        seed,
        lost: 0,
        duplicated: 0,
        leftovers: [],
        wrong: [],
        kills: 4,
        records: records * (hasPostgres ? 5 : 4),
      });
      expect(lives.checkpoints).toBeGreaterThan(8);
    } finally {
      await database?.close();
      await target.close();
    }
  },
);
