import { schema } from '../../src/config/schema/index.js';
import { connectionEffects } from './effects/connection.js';
import { credentialEffects, otherBuckets } from './effects/credentials.js';
import { jobEffects } from './effects/jobs.js';
import { transferEffects } from './effects/transfers.js';
import { closeAll, signedBy, type Effects } from './effects/listener.js';

// The AWS settings of this machine are ignored.
const inherited = { ...process.env };
beforeAll(() => {
  for (const name of Object.keys(process.env))
    if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
});
afterAll(() => {
  process.env = inherited;
});
afterEach(closeAll);

const effects: Effects = { ...connectionEffects, ...credentialEffects, ...transferEffects, ...jobEffects };

test('every key that can be set has its effect here, and no other key has', () => {
  const keys = schema.map(({ key }) => key);
  expect(Object.keys(effects).sort()).toEqual(keys.sort());
});

test.each(Object.entries(effects))('%s', async (_, effect) => {
  await effect();
});

test('keys of one bucket do not affect the others', async () => {
  const [only, ...more] = await otherBuckets();
  expect(more).toEqual([]);
  expect(signedBy(only!)[0]).toBe('KEY');
  expect(only?.headers['x-amz-server-side-encryption']).toBeUndefined();
});
