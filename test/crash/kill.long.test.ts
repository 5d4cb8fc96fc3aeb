import { live, type Blow, type Lives } from '../processes/lives.js';
import { kinds, openTarget, type Kind, type Target } from '../processes/target.js';

const exact = { lost: 0, duplicated: 0, leftovers: [], wrong: [] };

describe.each(kinds.filter((kind) => kind !== 'real behind a gateway'))(
  'a real process on %s',
  (kind: Kind) => {
    let target: Target;
    beforeEach(async () => {
      target = await openTarget(kind);
    });
    afterEach(async () => {
      await target.close();
    });

    const deal = (
      seed: number,
      blows: readonly Blow[],
      more: { records: number; faults?: boolean },
    ): Promise<Lives> => live({ target, seed, blows, ...more });

    test('killed five times at any moment: exactly once', async () => {
      const lives = await deal(1, Array<Blow>(5).fill('kill'), { records: 8000 });
      expect(lives).toMatchObject({ ...exact, kills: 5 });
      expect(lives.checkpoints).toBeGreaterThanOrEqual(5);
    });

    test('killed three times while it makes a savepoint: exactly once, and from a savepoint, too', async () => {
      const lives = await deal(4, Array<Blow>(3).fill('kill in savepoint'), { records: 8000 });
      expect(lives).toMatchObject({ ...exact, kills: 3 });
      expect(lives.cutSavepoints).toBeGreaterThan(0);
    });

    test('SIGTERM: a last checkpoint, exit code 0, and the next start continues exactly there', async () => {
      const lives = await deal(2, ['term'], { records: 8000 });
      expect(lives).toMatchObject({ ...exact, terms: 1 });
    });

    if (kind === 'gateway') {
      test('requests that fail, are reset, lose their answers or stall: exactly once', async () => {
        expect(await deal(3, [], { records: 12_000, faults: true })).toMatchObject(exact);
      });
    }
  },
);
