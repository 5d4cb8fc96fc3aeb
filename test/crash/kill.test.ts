import { live } from '../processes/lives.js';
import { kinds, openTarget } from '../processes/target.js';
import { effort } from '../support/effort.js';

const records = effort(4500, 6000);

// Kills while it makes a savepoint, and requests that fail, are in `kill.long.test.ts`.
test.each(kinds.filter((kind) => kind !== 'real behind a gateway'))(
  'a real process on %s that is killed twice, and then asked to end: exactly once, and from its last savepoint, too',
  async (kind) => {
    const target = await openTarget(kind);
    try {
      const blows = ['kill', 'kill', 'term'] as const;
      const lives = await live({ target, seed: 1, blows, records });
      expect(lives).toMatchObject({ lost: 0, duplicated: 0, leftovers: [], wrong: [], kills: 2, terms: 1 });
      expect(lives.checkpoints).toBeGreaterThanOrEqual(3);
    } finally {
      await target.close();
    }
  },
);
