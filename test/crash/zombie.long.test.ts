import { live } from '../processes/lives.js';
import { kinds, openTarget } from '../processes/target.js';

const exact = { lost: 0, duplicated: 0, leftovers: [], wrong: [] };
const last = kinds.at(-1) === 'gateway' ? 'gateway' : 'real';

test(`paused at any moment, one after the other, on ${last}: all are fenced`, async () => {
  const target = await openTarget(last);
  try {
    const lives = await live({
      target,
      seed: 4,
      blows: ['zombie', 'kill', 'zombie'],
      records: 12_000,
    });
    expect(lives).toMatchObject({ ...exact, zombies: 2, kills: 1 });
  } finally {
    await target.close();
  }
});
